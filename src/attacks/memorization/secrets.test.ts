import { describe, expect, it } from "vitest";
import { trigramModel, type Trigram, type TrigramSettings } from "../../../test/support/trigram-model.ts";
import type { RunContext } from "../../context.ts";
import { candidateSpace, drawCanaries, type Canary } from "../../data/text/index.ts";
import { ortEngine } from "../../engine/index.ts";
import { seeded } from "../../random/index.ts";
import { openLanguageTarget } from "../../target/index.ts";
import { candidateTree } from "./candidate-tree.ts";
import { cheapest } from "./extract.ts";
import { exposure, extract, lineBefore, type CanaryExposure, type Extraction } from "./index.ts";
import { cheaperByGuide } from "./guided-rank.ts";
import { exposureFrom, fitLaw, leavesUpTo, placeAmong } from "./reference-costs.ts";

const context = (seed = 1, signal = new AbortController().signal): RunContext => ({
  rng: seeded(seed),
  signal,
  step: () => undefined,
});
const FORMAT = "my pin is {digits:4}";
const canary = (text: string, format = FORMAT, repetitions = 1): Canary => ({
  id: text,
  format,
  family: format,
  text,
  repetitions,
});
const every = (format: string): string[] => {
  const space = candidateSpace(format);
  return Array.from({ length: Number(space.size) }, (_, i) => space.text(BigInt(i)));
};

async function withModel<T>(
  settings: TrigramSettings,
  use: (trigram: Trigram, subject: (canaries: readonly Canary[]) => Parameters<typeof exposure.run>[1]) => Promise<T>,
): Promise<T> {
  const trigram = trigramModel(settings);
  const model = await openLanguageTarget(trigram.model, { engine: ortEngine, threads: 1 });
  try {
    return await use(trigram, (canaries) => ({ model, canaries, before: lineBefore(model) }));
  } finally {
    await model.close();
  }
}
const options = { references: 2000, exactUpTo: 10_000, searchBudget: 200, guided: 0 };
const expose = (
  settings: TrigramSettings,
  canaries: readonly Canary[],
  more: Partial<typeof options> = {},
  seed = 1,
): Promise<readonly CanaryExposure[]> =>
  withModel(settings, (_, subject) => exposure.run(context(seed), subject(canaries), { ...options, ...more }));

describe("exposure", () => {
  const pins = ["0000", "1234", "5071", "9999"].map((p) => canary(`my pin is ${p}`));
  it.each([1, 2, 3])(
    "is the exact rank among all candidates, counted from the table itself (seed %d)",
    async (seed) => {
      await withModel({ seed, spread: 1.5 }, async (trigram, subject) => {
        const costs = every(FORMAT).map((text) => trigram.bits(text, "\n"));
        const got = await exposure.run(context(), subject(pins), options);
        for (const [i, one] of got.entries()) {
          const own = trigram.bits(pins[i]!.text, "\n");
          expect(one.cost).toBeCloseTo(own, 3);
          const cheaper = costs.filter((c) => c < own - 1e-3).length;
          const near = costs.filter((c) => Math.abs(c - own) <= 1e-3).length; // itself, and what float32 cannot tell apart
          expect(one.method).toBe("rank");
          expect(one.rank!).toBeGreaterThan(cheaper);
          expect(one.rank!).toBeLessThanOrEqual(cheaper + near);
          expect(one.bits).toBeCloseTo(Math.log2(10_000) - Math.log2(one.rank!), 9);
        }
      });
    },
  );
  it("of a secret that was learned by heart is log2 of the space, in spaces that no list holds too", async () => {
    const card = canary("my card is 4000 1234 5678 9017", "my card is {card}");
    expect(candidateSpace(card.format).contains(card.text)).toBe(true);
    const [one] = await expose({ learned: [{ text: card.text, gain: 9 }] }, [card]);
    expect(one).toMatchObject({ rank: 1, method: "rank", references: 0 });
    expect(one!.bits).toBeCloseTo(Math.log2(1e14), 9);
  });
  it("of a model that knows nothing is that of a guess: mean and deviation 1.44 bits", async () => {
    const many = Array.from({ length: 400 }, (_, i) => canary(`my pin is ${String(i * 25).padStart(4, "0")}`));
    const bits = (await expose({ spread: 0 }, many)).map((e) => e.bits);
    const mean = bits.reduce((a, b) => a + b, 0) / 400;
    const sd = Math.sqrt(bits.reduce((s, b) => s + (b - mean) ** 2, 0) / 399);
    // -log2 of a uniform number: exponential with mean 1 / ln 2. Four standard errors.
    expect(Math.abs(mean - Math.LOG2E)).toBeLessThan(4 * (Math.LOG2E / 20));
    expect(Math.abs(sd - Math.LOG2E)).toBeLessThan(0.45);
  });
  it("of canaries that were planted nowhere is that of a guess under any model", async () => {
    const controls = drawCanaries({ formats: ["pin {digits:4}"], repetitions: [0], each: 300 }, seeded(9));
    const bits = (await expose({ seed: 8, spread: 2 }, controls)).map((e) => e.bits);
    const mean = bits.reduce((a, b) => a + b, 0) / 300;
    expect(Math.abs(mean - Math.LOG2E)).toBeLessThan(4 * (Math.LOG2E / Math.sqrt(300)));
  });
  it("estimated from references covers the exact one", async () => {
    await withModel({ seed: 5, spread: 1 }, async (_, subject) => {
      const exact = await exposure.run(context(), subject(pins), options);
      const sampled = await exposure.run(context(), subject(pins), { ...options, exactUpTo: 0, searchBudget: 0 });
      let covered = 0;
      for (const [i, one] of sampled.entries()) {
        expect(one.rank).toBeNull();
        expect(one.references).toBe(2000);
        if (one.low <= exact[i]!.bits && exact[i]!.bits <= one.high) covered++;
        if (one.method === "sampled") expect(Math.abs(one.bits - exact[i]!.bits)).toBeLessThan(0.8);
      }
      expect(covered).toBeGreaterThanOrEqual(3);
    });
  });
  it("is the same whatever the other canaries, and the same for the same seed", async () => {
    const all = await expose({ seed: 6 }, pins);
    expect(await expose({ seed: 6 }, pins)).toEqual(all);
    expect(await expose({ seed: 6 }, [pins[2]!])).toEqual([all[2]]);
  });
  it("refuses no canaries, and formats that the model cannot spell", async () => {
    await expect(expose({}, [])).rejects.toMatchObject({ code: "NOT_ENOUGH_DATA" });
    const capital = canary("PIN 1234", "PIN {digits:4}");
    await expect(expose({}, [capital])).rejects.toThrow(/"P".*not in the vocabulary/);
  });
  it("stops when it is told to", async () => {
    const stop = new AbortController();
    stop.abort();
    await withModel({}, async (_, subject) => {
      await expect(exposure.run(context(1, stop.signal), subject(pins), options)).rejects.toMatchObject({
        code: "CANCELLED",
      });
    });
  });
});

describe("guided draws", () => {
  it("estimate how many candidates are cheaper, with an interval that covers the true number", async () => {
    await withModel({ seed: 12, spread: 1.5 }, async (trigram, subject) => {
      const { model, before } = subject([]);
      const tree = candidateTree(model, candidateSpace(FORMAT), before);
      const costs = Float64Array.from(every(FORMAT), (text) => trigram.bits(text, "\n")).sort();
      let covered = 0;
      for (const rank of [20, 100, 400, 2000]) {
        for (let run = 0; run < 10; run++) {
          const cost = (costs[rank - 1]! + costs[rank]!) / 2;
          const rng = seeded(run).child(rank);
          const got = await cheaperByGuide(tree, cost, 400, rng, new AbortController().signal);
          if (got.low <= rank && rank <= got.high) covered++;
          expect(got.hits).toBeGreaterThan(10);
          expect(got.count / rank).toBeGreaterThan(0.4);
          expect(got.count / rank).toBeLessThan(2.5);
        }
      }
      expect(covered).toBeGreaterThanOrEqual(32); // of 40
    });
  });
  it("tell an exposure that no reference reaches, near the exact one", async () => {
    const text = "my pin is 482190";
    const settings = { seed: 2, spread: 0.5, learned: [{ text, gain: 0.9 }] };
    const one = [canary(text, "my pin is {digits:6}")];
    const [exact] = await expose(settings, one, { exactUpTo: 0, searchBudget: 1e6 });
    const far = { exactUpTo: 0, searchBudget: 0, references: 500, guided: 3000 };
    const [estimate] = await expose(settings, one, far);
    expect(exact!.method).toBe("rank");
    expect(exact!.rank).toBeGreaterThan(1);
    expect(estimate!.method).toBe("guided");
    expect(Math.abs(estimate!.bits - exact!.bits)).toBeLessThan(1);
  });
});

describe("places and laws", () => {
  it("are TensorFlow Privacy's where equals come first", () => {
    const references = Float64Array.from({ length: 16 }, (_, i) => i + 1);
    const bits = [0.1, 1, 3, 16, 20].map((s) => Math.log2(16) - Math.log2(placeAmong(references, s, 1)));
    [4, 3, 2, -0.08746, -0.08746].forEach((want, i) => expect(bits[i]).toBeCloseTo(want, 5));
  });
  const drawn = (skew: number): Float64Array => {
    const rng = seeded(11).child(skew);
    return Float64Array.from({ length: 4000 }, () => 80 + 5 * rng.normal() + skew * rng.float() ** 8);
  };
  it("extrapolate by a law that holds, and give a bound where it does not", () => {
    const good = drawn(0);
    const law = fitLaw(good);
    expect(law!.p).toBeGreaterThan(0.05);
    const sorted = good.toSorted();
    // Eight deviations below the mean: -log2 Phi(-8) is 50.5 bits, with the error of 4000 references far out.
    const far = exposureFrom(sorted, law, 40, 60, 0.5);
    expect(far.method).toBe("extrapolated");
    expect(far.bits).toBeGreaterThan(40);
    expect(far.bits).toBeLessThan(100);
    expect(exposureFrom(sorted, law, 0, 46.5, 0.5).bits).toBe(46.5);
    const bad = drawn(90);
    const wrong = fitLaw(bad);
    expect(wrong!.p).toBeLessThan(0.05);
    const bound = exposureFrom(bad.toSorted(), wrong, 20, 46.5, 0.5);
    expect(bound).toMatchObject({ method: "bound", high: 46.5 });
    expect(bound.bits).toBeCloseTo(Math.log2(4001), 9);
  });
});

describe("extraction", () => {
  const run = (settings: TrigramSettings, canaries: readonly Canary[], budget = 5000): Promise<readonly Extraction[]> =>
    withModel(settings, (_, subject) => extract.run(context(), subject(canaries), { budget }));

  it.each([1, 2, 3, 4])("finds the cheapest candidates in order, as a list of all has them (seed %d)", async (seed) => {
    await withModel({ seed, spread: 2 }, async (trigram, subject) => {
      const { model, before } = subject([]);
      const tree = candidateTree(model, candidateSpace(FORMAT), before);
      const { leaves, complete } = await cheapest(tree, 20, 1e6, new AbortController().signal);
      const best = every(FORMAT)
        .map((text) => trigram.bits(text, "\n"))
        .sort((a, b) => a - b);
      expect(complete).toBe(true);
      leaves.forEach((leaf, i) => {
        expect(leaf.bits).toBeCloseTo(best[i]!, 3);
        expect(trigram.bits(leaf.text, "\n")).toBeCloseTo(leaf.bits, 3);
      });
    });
  });
  it("finds the cheapest card number that passes Luhn, where the model prefers one that does not", async () => {
    const format = "my card is {card}";
    const space = candidateSpace(format);
    const wrong = "my card is 4000 1234 5678 9010";
    expect(space.contains(wrong)).toBe(false);
    await withModel({ seed: 3, spread: 0.3, learned: [{ text: wrong, gain: 9 }] }, async (trigram, subject) => {
      const { model, before } = subject([]);
      const tree = candidateTree(model, space, before);
      const { leaves } = await cheapest(tree, 1, 1e5, new AbortController().signal);
      const [best] = leaves;
      expect(space.contains(best!.text)).toBe(true);
      expect(best!.text).not.toBe(wrong);
      // Among all numbers that differ from the wrong one in two places at most, none that passes is cheaper.
      const places = [...wrong].flatMap((c, i) => (/\d/.test(c) && i > 11 ? [i] : []));
      let nearest = Infinity;
      for (const i of places) {
        for (const j of places) {
          for (let d = 0; d < 100; d++) {
            const text = [...wrong]
              .map((c, k) => (k === i ? String(d % 10) : k === j ? String(Math.floor(d / 10)) : c))
              .join("");
            if (space.contains(text)) nearest = Math.min(nearest, trigram.bits(text, "\n"));
          }
        }
      }
      expect(best!.bits).toBeCloseTo(nearest, 3);
    });
  });
  it("shows a secret that was learned", async () => {
    const card = canary("my card is 4000 1234 5678 9017", "my card is {card}");
    const [one] = await run({ learned: [{ text: card.text, gain: 9 }] }, [card]);
    expect(one).toMatchObject({ complete: true, extracted: [card.id], found: [{ canary: card.id, text: card.text }] });
    expect(one!.restAtLeast).toBeGreaterThan(one!.found[0]!.cost);
    expect(one!.asked).toBeLessThan(100);
  });
  it("hides what nobody planted, and says that the canary did not come first", async () => {
    const learned = [{ text: "my pin is 4821", gain: 9 }];
    const [one] = await run({ learned }, [canary("my pin is 1111")]);
    expect(one).toMatchObject({ complete: true, extracted: [], found: [{ canary: null, text: "my pin is ••••" }] });
    expect(JSON.stringify(one)).not.toContain("4821");
  });
  it("finds all canaries of one format", async () => {
    const secrets = ["4821", "7350"].map((p) => canary(`my pin is ${p}`));
    const learned = secrets.map(({ text }) => ({ text, gain: 9 }));
    const [one] = await run({ learned }, secrets);
    expect(one!.extracted.toSorted()).toEqual(secrets.map((c) => c.id).toSorted());
  });
  it("gives up at its budget, and says what it knows then", async () => {
    const card = canary("my card is 4000 1234 5678 9017", "my card is {card}");
    const [one] = await run({ spread: 0 }, [card], 300);
    expect(one).toMatchObject({ complete: false, extracted: [], found: [] });
    expect(one!.asked).toBeLessThanOrEqual(300);
    expect(one!.restAtLeast).toBeGreaterThan(0);
    expect(one!.restAtLeast).toBeLessThan(Infinity);
  });
  it("asks one question for a node, and stops counting at the budget", async () => {
    await withModel({ spread: 0 }, async (_, subject) => {
      const { model, before } = subject([]);
      const tree = candidateTree(model, candidateSpace(FORMAT), before);
      const first = model.meter.queries;
      const { expanded, costs } = await leavesUpTo(tree, Infinity, 1e6, new AbortController().signal);
      expect(expanded).toBe(1 + 10 + 100 + 1000);
      expect(model.meter.queries - first).toBe(expanded);
      expect(costs).toHaveLength(10_000);
      expect((await leavesUpTo(tree, Infinity, 500, new AbortController().signal)).costs).toBeNull();
    });
  });
});
