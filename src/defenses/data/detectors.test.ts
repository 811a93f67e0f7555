import { describe, expect, test } from "vitest";
import type { RunContext } from "../../context.ts";
import { defaultsOf } from "../../options.ts";
import { seeded, type Rng } from "../../random/index.ts";
import { clopperPearson } from "../../stats/index.ts";
import type { Detector, Suspects } from "./detector.ts";
import { knnLabelAgreement } from "./knn-label-agreement.ts";
import { spectralSignatures } from "./spectral-signatures.ts";
import { topDirection } from "./top-direction.ts";

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

function suspectsOf(rng: Rng, shape: Shape, withReference: boolean, n = 300): Suspects {
  const own = clean(rng.child("train"), n, shape);
  return {
    ...own,
    width: WIDTH,
    classes: 5,
    rowIds: Array.from(own.labels, (_, i) => `r${i}`),
    reference: withReference ? clean(rng.child("reference"), 150, shape) : null,
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
    const runs = Number(process.env["RUNS"] ?? 100);
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
      if (found.flagged.length > 0) alarms++;
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
    const { coordinates } = topDirection(features, width, rows, centred);
    return rows
      .toSorted((a, b) => coordinates[b]! ** 2 - coordinates[a]! ** 2)
      .slice(0, bad)
      .filter((i) => i < bad).length;
  };
  expect(caught(false)).toBe(0);
  expect(caught(true)).toBeGreaterThanOrEqual(499);
});
