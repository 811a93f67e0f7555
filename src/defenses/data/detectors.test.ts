import { describe, expect, test } from "vitest";
import type { RunContext } from "../../context.ts";
import { defaultsOf } from "../../options.ts";
import { seeded, type Rng } from "../../random/index.ts";
import { clopperPearson } from "../../stats/index.ts";
import type { Detector, Suspects } from "./detector.ts";
import { knnLabelAgreement } from "./knn-label-agreement.ts";
import { spectralSignatures } from "./spectral-signatures.ts";
import { topDirections } from "./top-direction.ts";
import { whitenedWithin } from "./whitening.ts";

const context = (rng: Rng): RunContext => ({ rng, signal: new AbortController().signal, step: () => undefined });

type Shape = "gaussian" | "heavy-tailed" | "clustered";
const WIDTH = 6;

/** n clean rows of 5 classes; clustered: every class has a second group with 30 % of its rows. */
function clean(rng: Rng, n: number, shape: Shape): { features: Float32Array; labels: Int32Array } {
  const features = new Float32Array(n * WIDTH);
  const labels = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const y = rng.int(5);
    labels[i] = y;
    // Student's t with 3 degrees of freedom: a normal over the root of a chi-square by its degrees.
    const scale =
      shape === "heavy-tailed" ? Math.sqrt((rng.normal() ** 2 + rng.normal() ** 2 + rng.normal() ** 2) / 3) : 1;
    for (let j = 0; j < WIDTH; j++) features[i * WIDTH + j] = rng.normal() / scale + (j === y ? 7 : 0);
    if (shape === "clustered" && rng.float() < 0.3) features[i * WIDTH + 5]! += 8;
  }
  return { features, labels };
}

function suspectsOf(rng: Rng, shape: Shape, withReference: boolean, n = 300, m = 150): Suspects {
  const own = clean(rng.child("train"), n, shape);
  return {
    ...own,
    width: WIDTH,
    classes: 5,
    rowIds: Array.from(own.labels, (_, i) => `r${i}`),
    reference: withReference ? clean(rng.child("reference"), m, shape) : null,
  };
}

describe("false alarms on clean data", () => {
  const shapes = ["gaussian", "heavy-tailed", "clustered"] as const;
  const cases = [knnLabelAgreement, spectralSignatures].flatMap((detector) =>
    shapes.flatMap((shape) =>
      [true, false].map((withReference) => ({ id: detector.id, detector, shape, withReference })),
    ),
  );
  // Without a reference, heavy-tailed classes put more rows among each other than the neighbours' default tolerates.
  const stated = cases.filter(
    (c) => c.withReference || c.detector === spectralSignatures || c.shape !== "heavy-tailed",
  );
  test.each(stated)("$id on $shape data, reference: $withReference", async ({ detector, shape, withReference }) => {
    const runs = Number(process.env["RUNS"] ?? 80);
    let alarms = 0;
    const alpha = 0.05;
    for (let run = 0; run < runs; run++) {
      const rng = seeded(run).child(shape);
      const found = await (detector as Detector<never>).apply(
        context(rng.child("detect")),
        suspectsOf(rng, shape, withReference),
        {
          ...defaultsOf<object>(detector.options as never),
          alpha,
          shuffles: 199,
        } as never,
      );
      // With a reference the test itself must hold its rate, before the size of the effect is asked for.
      const least = Math.min(...found.classes.map((c) => c.adjusted ?? 1));
      if (withReference ? least <= alpha : found.flagged.length > 0) alarms++;
    }
    expect(clopperPearson(alarms, runs, 0.998).low).toBeLessThanOrEqual(alpha);
  });
});

test("the centred top direction finds a planted group on the far side of the mean; the uncentred one misses all of it", () => {
  const rng = seeded(1);
  const n = 5000;
  const bad = 500;
  const width = 20;
  const features = new Float32Array(n * width);
  rng.fillNormal(features);
  // Every row lies 10 along axis 0, as ReLU features do; the planted ones 4 less: nearer to the origin, not farther.
  for (let i = 0; i < n; i++) features[i * width]! += i < bad ? 2 : 10;
  const rows = Array.from({ length: n }, (_, i) => i);
  const caught = (centred: boolean): number => {
    const { coordinates } = topDirections(features, width, rows, 1, centred)[0]!;
    return rows
      .toSorted((a, b) => coordinates[b]! ** 2 - coordinates[a]! ** 2)
      .slice(0, bad)
      .filter((i) => i < bad).length;
  };
  expect(caught(false)).toBe(0);
  expect(caught(true)).toBeGreaterThanOrEqual(499);
});

test("a planted group does not hide itself by spreading what it is whitened by", () => {
  const rng = seeded(2);
  const width = 8;
  const n = 600;
  const features = new Float32Array(3 * n * width);
  rng.fillNormal(features);
  const rows = Array.from({ length: 3 * n }, (_, i) => i);
  // A fifth of the first class lies 30 out; the spread of clean rows is 1 in every direction.
  const bad = n / 5;
  for (let i = 0; i < bad; i++) features[i * width]! += 30;
  const classes = [0, 1, 2].map((label) => rows.slice(label * n, (label + 1) * n));
  const white = whitenedWithin(features, width, classes)[0]!;
  const mean = (from: number, to: number): number => {
    let sum = 0;
    for (let i = from; i < to; i++) sum += white[i * width]! / (to - from);
    return sum;
  };
  // Whitened by all rows the distance would be 30 / sqrt(1 + 30 ^ 2 * 0.2 * 0.8 / 3) = 4.3. A core of three quarters of a
  // normal sample spreads less than the sample, so clean rows come out a little wider than 1.
  expect(mean(0, bad) - mean(bad, n)).toBeGreaterThan(28);
});

describe("what is planted is found", () => {
  const apply = (detector: unknown, s: Suspects, seed: number) =>
    (detector as Detector).apply(
      context(seeded(seed)),
      s,
      defaultsOf<{ alpha: number }>((detector as Detector).options as never),
    );

  test("a group that one class has and its reference does not: spectral signatures flag it and little else", async () => {
    const rng = seeded(5);
    const s = suspectsOf(rng, "gaussian", true, 1500, 750);
    const bad = Array.from(s.labels.keys())
      .filter((i) => s.labels[i] === 2)
      .slice(0, 30);
    // A direction in which nobody else varies much more than by 1.
    for (const i of bad) s.features[i * WIDTH + 5]! += 9;
    const found = await apply(spectralSignatures, s, 5);
    const hits = found.flagged.filter((f) => bad.includes(f.row)).length;
    expect(hits).toBe(30);
    // 1.5 times the estimated size of the group, by design: at most 15 rows more than there are, and 5 for the estimate.
    expect(found.flagged.length - hits).toBeLessThanOrEqual(20);
    // Without the margin hardly any clean row goes, and nearly all planted ones do.
    const strict = await spectralSignatures.apply(context(seeded(5)), s, {
      ...defaultsOf(spectralSignatures.options),
      margin: 1,
    });
    const strictHits = strict.flagged.filter((f) => bad.includes(f.row)).length;
    expect(strictHits).toBeGreaterThanOrEqual(25);
    expect(strict.flagged.length - strictHits).toBeLessThanOrEqual(5);
    expect(found.classes.map((c) => c.verdict)).toEqual([
      "nothing found",
      "nothing found",
      "found",
      "nothing found",
      "nothing found",
    ]);
  });

  test("a group behind its class's own variety: the directions after the first are looked at, and the group is completed", async () => {
    const rng = seeded(9);
    const s = suspectsOf(rng, "gaussian", true, 2500, 2500);
    // Every class, trusted rows too, has two kinds of rows, in another direction for each class: wider than what is planted.
    for (const [points, of] of [
      [s, "own"],
      [s.reference!, "other"],
    ] as const) {
      const kinds = rng.child(of);
      points.labels.forEach((y, i) => (points.features[i * WIDTH + y]! += kinds.float() < 0.5 ? 6 : -6));
    }
    const bad = Array.from(s.labels.keys())
      .filter((i) => s.labels[i] === 3)
      .slice(0, 40);
    for (const i of bad) s.features[i * WIDTH + 5]! += 7;
    const found = async (directions: number): Promise<number> => {
      const options = { ...defaultsOf(spectralSignatures.options), directions };
      const { flagged } = await spectralSignatures.apply(context(seeded(9)), s, options);
      return flagged.filter((f) => bad.includes(f.row)).length;
    };
    expect(await found(1)).toBe(0);
    expect(await found(3)).toBe(40);
  });

  test.each([true, false])("flipped labels: neighbours find them (reference: %s)", async (withReference) => {
    const rng = seeded(6);
    const s = suspectsOf(rng, "gaussian", withReference, 1000, 500);
    const bad = Array.from({ length: 50 }, (_, i) => i * 20);
    const labels = s.labels.slice();
    for (const i of bad) labels[i] = (labels[i]! + 1 + ((i / 20) % 4)) % 5;
    const found = await apply(knnLabelAgreement, { ...s, labels }, 6);
    const rows = found.flagged.map((f) => f.row);
    expect(bad.filter((i) => rows.includes(i)).length).toBeGreaterThanOrEqual(40);
    expect(rows.filter((i) => !bad.includes(i)).length).toBeLessThanOrEqual(5);
  });

  test("a class with too few rows is not judged, and says so", async () => {
    const s = suspectsOf(seeded(7), "gaussian", true, 60);
    const found = await apply(spectralSignatures, s, 7);
    for (const c of found.classes)
      if (c.rows < 20) expect(c).toMatchObject({ verdict: "too few rows", p: null, flagged: 0 });
    expect(found.classes.some((c) => c.rows < 20)).toBe(true);
  });

  test("a feature that is not finite is refused by name", async () => {
    const s = suspectsOf(seeded(8), "gaussian", false, 60);
    s.features[3] = NaN;
    await expect(apply(knnLabelAgreement, s, 8)).rejects.toMatchObject({ code: "DATA_INVALID" });
  });
});
