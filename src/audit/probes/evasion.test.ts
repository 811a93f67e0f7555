import { describe, expect, it } from "vitest";
import { linearData, linearTarget, type LinearSettings } from "../../../test/support/linear-target.ts";
import type { EvasionEvidence } from "../../contract/evidence/evasion.ts";
import { defaultsOf } from "../../options.ts";
import { seeded } from "../../random/index.ts";
import type { AuditSubject } from "../probe.ts";
import { adversarialExamples } from "../checks/adversarial-examples.ts";
import { gradientMasking } from "../checks/gradient-masking.ts";
import { evasionProbe, type EvasionProbeOptions } from "./evasion.ts";
import { pictureFrame, pictureOf } from "./evasion-views.ts";

const context = { rng: seeded(1), signal: new AbortController().signal, step: () => {} };
const options: EvasionProbeOptions = {
  ...defaultsOf(evasionProbe.options),
  squareQueries: 60,
  apgdSteps: 20,
  pgdSteps: 20,
};

async function probe(
  settings: LinearSettings,
  given: Partial<EvasionProbeOptions> = {},
  rows = 30,
): Promise<EvasionEvidence> {
  const target = linearTarget(seeded(8), settings);
  const test = await linearData(target, seeded(8), rows);
  const subject = { id: "s", target, model: null, bounds: target.bounds, test } as unknown as AuditSubject;
  expect(evasionProbe.applies(subject, options)).toBeNull();
  const body = await evasionProbe.run(context, subject, { ...options, ...given });
  return JSON.parse(
    JSON.stringify({
      ...body,
      schema: 1,
      id: "e",
      probe: "evasion",
      subject: "s",
      seed: 1,
      options: {},
      seconds: 0,
      queries: 0,
      gradients: 0,
    }),
  );
}

describe("the evasion probe", () => {
  it("finds a curve that falls with the budget, worst case per row, and pictures", async () => {
    const e = await probe({ shape: [1, 8, 8], classes: 3 }, { eps: 0.02 });
    expect(e.curve.map((p) => p.eps)).toEqual([0, 0.005, 0.01, 0.02, 0.04]);
    for (let k = 1; k < e.curve.length; k++) expect(e.curve[k]!.fooled).toBeGreaterThanOrEqual(e.curve[k - 1]!.fooled);
    expect(e.curve.at(-1)!.fooled).toBeGreaterThan(0);
    expect(e.curve[1]!.fooled).toBeLessThan(e.curve.at(-1)!.fooled);
    expect(e.attacks.map((a) => a.attack)).toEqual(["random-noise", "fgsm", "pgd", "apgd-ce", "square"]);
    expect(e.pictures.length).toBeGreaterThan(0);
    expect(Buffer.from(e.pictures[0]!.cells[0]!.picture.pixels, "base64")).toHaveLength(64);
    expect(e.witnesses.every((w) => w.distance <= 0.02 * (1 + 1e-6) && w.label !== w.adversarial)).toBe(true);
    expect(adversarialExamples.judge([e]).outcome).toBe("fail");
    expect(gradientMasking.judge([e]).outcome).toBe("pass");
  });

  it("agrees with the known optimum of a linear model of two classes at every budget", async () => {
    const settings: LinearSettings = { shape: [20], classes: 2 };
    const e = await probe(settings, { eps: 0.02 }, 60);
    const target = linearTarget(seeded(8), settings);
    const data = await linearData(target, seeded(8), 60);
    const distances = Array.from(data.labels!, (label, k) =>
      Math.min(...target.distances("linf", data.features.data.subarray(20 * k, 20 * k + 20), label)),
    );
    for (const point of e.curve.slice(1)) {
      // Rows within a thousandth of the budget may fall either way: a success needs a margin.
      const surely = distances.filter((d) => d < point.eps * 0.999).length;
      const possibly = distances.filter((d) => d < point.eps).length;
      expect(point.fooled).toBeGreaterThanOrEqual(surely);
      expect(point.fooled).toBeLessThanOrEqual(possibly);
    }
  });

  it("sees through a model that hides its gradients", async () => {
    const e = await probe({ shape: [20], classes: 3, gradientScale: 0 }, { eps: 0.05 });
    // The rest is fooled by the random start alone.
    expect(e.health.flat).toBeGreaterThan(e.correct / 2);
    expect(e.health.onlyByScores).toBeGreaterThan(0);
    const judged = gradientMasking.judge([e]);
    expect(judged.outcome).toBe("fail");
    expect(judged.headline).toMatch(/zero/);
  });

  it("goes on by black-box attacks alone where there are no gradients, and says so", async () => {
    const e = await probe({ shape: [20], classes: 3, can: ["label", "scores"] }, { eps: 0.05 });
    expect(e.whiteBox).toBe(false);
    expect(e.attacks.map((a) => a.attack)).toEqual(["random-noise", "square"]);
    expect(e.curve.at(-1)!.fooled).toBeGreaterThan(0);
    expect(gradientMasking.judge([e]).outcome).toBe("inapplicable");
  });

  it.each(["l2", "l1"])("runs with the norm %s", async (norm) => {
    const e = await probe({ shape: [1, 8, 8], classes: 3 }, { norm });
    expect(e.norm).toBe(norm);
    expect(e.curve.at(-1)!.fooled).toBeGreaterThan(0);
  });

  it("is the same for the same seed", async () => {
    const timeless = (e: EvasionEvidence): unknown => ({ ...e, attacks: e.attacks.map((a) => ({ ...a, seconds: 0 })) });
    const settings: LinearSettings = { shape: [20], classes: 3 };
    expect(timeless(await probe(settings, { eps: 0.03 }))).toEqual(timeless(await probe(settings, { eps: 0.03 })));
  });

  it("says why it does not apply", async () => {
    const target = linearTarget(seeded(8), { shape: [4], classes: 2, bounds: { low: -Infinity, high: Infinity } });
    const test = await linearData(target, seeded(8), 4);
    const subject = (more: object): AuditSubject => ({ id: "s", target, test, ...more }) as unknown as AuditSubject;
    expect(evasionProbe.applies(subject({ target: null }), options)).toMatch(/model/);
    expect(evasionProbe.applies(subject({}), options)).toMatch(/--bounds/);
    expect(evasionProbe.applies(subject({ test: { ...test, labels: null } }), options)).toMatch(/labelled/);
  });
});

describe("pictures", () => {
  it("knows channels first, channels last, and flat squares; nothing else", () => {
    expect(pictureFrame([3, 32, 30])).toMatchObject({ channels: 3, height: 32, width: 30 });
    expect(pictureFrame([32, 30, 3])).toMatchObject({ channels: 3, height: 32, width: 30 });
    expect(pictureFrame([28, 28])).toMatchObject({ channels: 1, height: 28, width: 28 });
    expect(pictureFrame([784, 1])).toMatchObject({ channels: 1, height: 28, width: 28 });
    expect(pictureFrame([30])).toBeNull();
    expect(pictureFrame([4])).toBeNull();
    expect(pictureFrame([5, 32, 32])).toBeNull();
  });
  it("writes interleaved bytes", () => {
    const frame = pictureFrame([3, 4, 5])!;
    const values = Float32Array.from({ length: 60 }, (_, k) => Math.floor(k / 20) / 2);
    const pixels = Buffer.from(pictureOf(values, frame, 0, 1).pixels, "base64");
    expect([...pixels.subarray(0, 3)]).toEqual([0, 128, 255]);
    expect(pixels).toHaveLength(60);
  });
});
