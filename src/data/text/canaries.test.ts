import { assert, bigInt, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { seeded } from "../../random/index.ts";
import {
  candidateSpace,
  countCanaries,
  drawCanaries,
  log2,
  makeManifest,
  parseManifest,
  plantCanaries,
} from "./index.ts";

/** Luhn's check as the standard words it: from the right, every second digit doubled. */
function luhn(text: string): boolean {
  const digits = [...text.replace(/\D/g, "")].reverse().map(Number);
  return digits.reduce((s, d, i) => s + (i % 2 === 0 ? d : d > 4 ? 2 * d - 9 : 2 * d), 0) % 10 === 0;
}

describe("the space of a format", () => {
  it.each([
    { format: "code {digits:4}", size: 10_000n },
    { format: "code {digits:6}.", size: 1_000_000n },
    // 16 digits: the first is 4, the check digit follows from the others.
    { format: "{card}", size: 10n ** 14n },
    // 898 areas (001 to 899 without 666), 99 groups, 9999 serials.
    { format: "ssn {ssn}", size: 898n * 99n * 9999n },
    { format: "{digits:2} and {digits:3}", size: 100_000n },
  ])("$format has $size texts", ({ format, size }) => {
    const space = candidateSpace(format);
    expect(space.size).toBe(size);
    expect(space.bits).toBeCloseTo(Math.log2(Number(size)), 12);
  });
  it("lists each text once, in order, and nothing else", () => {
    const space = candidateSpace("pin {digits:2}!");
    const all = Array.from({ length: 100 }, (_, i) => space.text(BigInt(i)));
    expect(all).toEqual(Array.from({ length: 100 }, (_, i) => `pin ${String(i).padStart(2, "0")}!`));
  });
  it("draws card numbers that pass Luhn and social security numbers that the agency could issue", () => {
    const rng = seeded(1);
    const cards = candidateSpace("card {card}");
    const ssn = candidateSpace("{ssn}");
    for (let i = 0; i < 300; i++) {
      const card = cards.draw(rng);
      expect(card).toMatch(/^card 4\d{3} \d{4} \d{4} \d{4}$/);
      expect(luhn(card)).toBe(true);
      const [area, group, serial] = ssn.draw(rng).split("-").map(Number) as [number, number, number];
      expect(area > 0 && area < 900 && area !== 666 && group > 0 && serial > 0).toBe(true);
    }
    expect(luhn("4111 1111 1111 1111")).toBe(true);
  });
  it("tells what belongs to it from what does not", () => {
    const space = candidateSpace("{card}");
    expect(space.contains("4111 1111 1111 1111")).toBe(true);
    for (const no of ["4111 1111 1111 1112", "5111 1111 1111 1111", "4111111111111111", "4111 1111 1111 111", ""])
      expect(space.contains(no)).toBe(false);
    const ssn = candidateSpace("{ssn}");
    expect(ssn.contains("078-05-1120")).toBe(true);
    for (const no of ["000-05-1120", "666-05-1120", "900-05-1120", "078-00-1120", "078-05-0000"])
      expect(ssn.contains(no)).toBe(false);
    assert(
      property(bigInt({ min: 0n, max: space.size - 1n }), (i) => space.contains(space.text(i)) && luhn(space.text(i))),
    );
  });
  it("draws uniformly: every text of a small space about as often (chi-square)", () => {
    const space = candidateSpace("{digits:2}");
    const rng = seeded(2);
    const counts = new Map<string, number>();
    for (let i = 0; i < 20_000; i++) {
      const text = space.draw(rng);
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    const chi = [...counts.values()].reduce((s, n) => s + (n - 200) ** 2 / 200, 0);
    expect(counts.size).toBe(100);
    expect(chi).toBeLessThan(150); // 99 degrees: p = 0.0007
  });
  it("hides holes and nothing else", () => {
    expect(candidateSpace("my pin is {digits:4}.").mask("my pin is 1234.")).toBe("my pin is ••••.");
    expect(candidateSpace("{ssn}").mask("078-05-1120")).toBe("•••-••-••••");
  });
  it.each([
    ["no hole", /1 possible texts/],
    ["{digits:0}", /not known/],
    ["{secret}", /hole \{secret\}, which is not known/],
    ["a {digits:2", /brace without its partner/],
    ["\u{1f600} {digits:2}", /beyond U\+FFFF/],
    ["x".repeat(500) + "{digits:2}", /too long/],
    ["", /1 possible texts/],
  ])("refuses %s", (format, words) => {
    expect(() => candidateSpace(format)).toThrow(words);
  });
  it("takes the logarithm of numbers beyond doubles", () => {
    expect(log2(1n << 200n)).toBe(200);
    expect(log2(10n ** 400n)).toBeCloseTo(400 * Math.log2(10), 9);
  });
});

describe("canaries", () => {
  const plan = { formats: ["the pin of {owner} is {digits:5}", "card {card}"], repetitions: [0, 1, 7], each: 4 };
  const canaries = drawCanaries(plan, seeded(3));
  it("are what the plan says, all different, each of its format", () => {
    expect(canaries).toHaveLength(24);
    expect(new Set(canaries.map((c) => c.text)).size).toBe(24);
    for (const c of canaries) expect(candidateSpace(c.format).contains(c.text)).toBe(true);
    expect(canaries.filter((c) => c.repetitions === 7)).toHaveLength(8);
  });
  it("are the same for the same seed, others for another, and stay when more are drawn", () => {
    expect(drawCanaries(plan, seeded(3))).toEqual(canaries);
    expect(drawCanaries(plan, seeded(4))).not.toEqual(canaries);
    const more = drawCanaries({ ...plan, each: 6 }, seeded(3)).map((c) => c.text);
    for (const c of canaries.filter((k) => k.format.startsWith("card"))) expect(more).toContain(c.text);
  });
  it("are planted as often as they say, at random places, and no record is lost", () => {
    const records = Array.from({ length: 50 }, (_, i) => ({ id: `m${i}`, text: `mail number ${i}` }));
    const planted = plantCanaries(records, canaries, seeded(5));
    expect(planted).toHaveLength(50 + 8 * (1 + 7));
    expect(new Set(planted.map((r) => r.id)).size).toBe(planted.length);
    const counts = countCanaries(planted, canaries);
    for (const c of canaries) expect(counts.get(c.id)).toBe(c.repetitions);
    for (const r of records) expect(planted).toContainEqual(r);
    expect(planted.map((r) => r.id)).not.toEqual(planted.map((r) => r.id).sort());
  });
  it.each([
    [{ ...plan, formats: [] }, /at least one format/],
    [{ ...plan, each: 0 }, /1 of each/],
    [{ ...plan, repetitions: [-1] }, /0 to 100000 times/],
    [{ ...plan, repetitions: [1.5] }, /whole number; got 1.5/],
    [{ formats: ["{digits:1}"], repetitions: [1], each: 11 }, /too few texts/],
    [{ formats: ["the pin"], repetitions: [1], each: 1 }, /1 possible texts/],
  ])("refuse a plan that cannot be: %#", (bad, words) => {
    expect(() => drawCanaries(bad, seeded(1))).toThrow(words);
  });
});

describe("the manifest", () => {
  const canaries = drawCanaries({ formats: ["pin of {owner}: {digits:4}"], repetitions: [0, 5], each: 2 }, seeded(6));
  const text = JSON.stringify(makeManifest(100, canaries));
  const changed = (edit: (m: { canaries: Record<string, unknown>[] } & Record<string, unknown>) => void): string => {
    const m = JSON.parse(text);
    edit(m);
    return JSON.stringify(m);
  };
  it("is read as it was written", () => {
    expect(parseManifest(text, "m.json").canaries).toEqual(canaries);
  });
  it.each([
    ["cut short", text.slice(0, -20), /no JSON/],
    ["of another kind", "{}", /not of the kind/],
    ["null", "null", /not of the kind/],
    ["of another schema", changed((m) => (m["schema"] = 9)), /schema 9/],
    ["without canaries", changed((m) => (m.canaries = [])), /no canary/],
    ["with a canary that lacks its text", changed((m) => delete m.canaries[0]!["text"]), /needs id/],
    ["with another repetition", changed((m) => (m.canaries[0]!["repetitions"] = 50)), /digest/],
    [
      "with another secret",
      changed((m) => (m.canaries[0]!["text"] = String(m.canaries[0]!["text"]).replace(/\d{4}$/, "0000"))),
      /digest/,
    ],
    ["with a text of another format", changed((m) => (m.canaries[0]!["text"] = "hello")), /does not fit its format/],
    ["with one id twice", changed((m) => (m.canaries[1]!["id"] = m.canaries[0]!["id"])), /two canaries/],
  ])("is refused when it is %s", (_, bad, words) => {
    expect(() => parseManifest(bad, "m.json")).toThrow(words);
    expect(() => parseManifest(bad, "m.json")).toThrow(/^m\.json/);
  });
});
