import { describe, expect, it } from "vitest";
import { diracs, linearTiny, quiet } from "../../../test/support/private-tiny.ts";
import { ortEngine } from "../../engine/ort-node.ts";
import { seeded } from "../../random/index.ts";
import { float32, tensor } from "../../tensor/index.ts";
import { buildArchitecture } from "../architectures.ts";
import { openClipped } from "../clipping/clipped.ts";
import { layoutOf, pack } from "../parameters.ts";
import { privateCnn } from "./architectures.ts";
import { lastLayers } from "./last-layers.ts";
import { openNoise } from "./noise.ts";
import { calibratePlan, sourceOf } from "./plan.ts";
import { shuffledSampler } from "./sampler.ts";
import { featuresOf, linearHead, scatteringModel } from "./scattering.ts";
import { makePrivateTrainer, wholeEvent } from "./trainer.ts";
import { views } from "./rows.ts";

describe("scattering", () => {
  /** A made image; values by Kymatio 0.3.0 (numpy, float64, J = 2, L = 8): [channel, place, value]. */
  const image = Float32Array.from({ length: 784 }, (_, k) => {
    const [i, j] = [Math.floor(k / 28), k % 28];
    const wave = Math.sin(0.3 * i + 0.05 * j ** 1.5) * Math.exp(-((i - 12) ** 2 + (j - 15) ** 2) / 80);
    return wave + 0.2 * Number((i * 7 + j * 3) % 5 === 0);
  });
  const known: readonly [number, number, number][] = [
    [0, 0, 0.0702058483],
    [0, 24, -0.322016659],
    [0, 44, 0.117650063],
    [1, 0, 0.0118415082],
    [1, 24, 0.0533569106],
    [1, 44, 0.00730774003],
    [5, 0, 0.0118787243],
    [5, 24, 0.0291588178],
    [5, 44, 0.0183613163],
    [8, 0, 0.00923580247],
    [8, 24, 0.0337965938],
    [8, 44, 0.0060793467],
    [9, 0, 0.0064775331],
    [9, 24, 0.103893328],
    [9, 44, 0.0154179781],
    [13, 0, 0.00697138483],
    [13, 24, 0.0360747511],
    [13, 44, 0.0115752222],
    [16, 0, 0.0055220919],
    [16, 24, 0.0579951801],
    [16, 44, 0.0105738385],
    [17, 0, 0.0017198176],
    [17, 24, 0.00679852018],
    [17, 44, 0.00100925403],
    [20, 0, 0.000558315397],
    [20, 24, 0.0016338866],
    [20, 44, 0.00140871703],
    [24, 0, 0.00101032212],
    [24, 24, 0.00309894352],
    [24, 44, 0.000441807791],
    [25, 0, 0.00462888211],
    [25, 24, 0.00647122408],
    [25, 44, 0.001164685],
    [33, 0, 0.000908656853],
    [33, 24, 0.00504209993],
    [33, 44, 0.000861504137],
    [40, 0, 0.000878795924],
    [40, 24, 0.00254601864],
    [40, 44, 0.000818673023],
    [57, 0, 0.00137456014],
    [57, 24, 0.000202049687],
    [57, 44, 0.000490566057],
    [72, 0, 0.00108208551],
    [72, 24, 0.00100694374],
    [72, 44, 0.000339958968],
    [80, 0, 0.000885450816],
    [80, 24, 0.002234351],
    [80, 44, 0.000630337547],
  ];
  it("is that of Kymatio", async () => {
    const model = scatteringModel({ size: 28, bounds: [0, 1] }, { normalize: false });
    const { data, dims } = await featuresOf(ortEngine, model, tensor("float32", [1, 1, 28, 28], image));
    expect(dims).toEqual([1, 3969]);
    for (const [channel, place, value] of known)
      expect(Math.abs(data[channel * 49 + place]! - value)).toBeLessThan(2e-6);
    const norm = Math.sqrt(data.reduce((s, v) => s + v * v, 0));
    expect(norm).toBeCloseTo(1.8676231868, 5);
  });
  it("normalizes each example by itself, and the head's file takes pixels", async () => {
    const model = scatteringModel({ size: 16, bounds: [0, 255] });
    const rng = seeded(2);
    const images = float32([3, 1, 16, 16]);
    rng.fillUniform(images.data, 0, 255);
    const all = await featuresOf(ortEngine, model, images);
    const one = await featuresOf(ortEngine, model, tensor("float32", [1, 1, 16, 16], images.data.slice(256, 512)));
    for (let i = 0; i < 1296; i++) expect(Math.abs(all.data[1296 + i]! - one.data[i]!)).toBeLessThan(1e-4);
    const group = Array.from(one.data.subarray(0, 48));
    expect(group.reduce((a, b) => a + b) / 48).toBeCloseTo(0, 4);
    expect(group.reduce((s, v) => s + v * v, 0) / 48).toBeCloseTo(1, 2);
    const head = linearHead(1296, 2, model);
    expect(head.exported!.graph.inputs[0]!.dims).toEqual(["N", 1, 16, 16]);
    const session = await ortEngine.load(head.exported!);
    expect((await session.run({ input: images }))["logits"]!.dims).toEqual([3, 2]);
    await session.close();
  });
  it("refuses sizes that it cannot halve twice", () => {
    expect(() => scatteringModel({ size: 30, bounds: [0, 1] })).toThrow(/in steps of 4; got 30/);
  });
});

const batch = (n: number, shape: readonly number[]) => {
  const x = float32([n, ...shape]);
  seeded(4).fillUniform(x.data, 0, 1);
  const y = float32([n, 10]);
  for (let i = 0; i < n; i++) y.data[10 * i + (i % 10)] = 1;
  return { x, y };
};

describe("the private cnn", () => {
  it.each([
    [0, false],
    [4, false],
    [4, true],
  ])("bounds each example: %i groups, standardized kernels %s", async (groups, standardize) => {
    const t = privateCnn({ inputShape: [1, 16, 16], classes: 10, rng: seeded(1), bounds: [0, 1], groups, standardize });
    const clipped = await openClipped(ortEngine, t, { threads: 1 });
    const { x, y } = batch(4, [1, 16, 16]);
    const p = pack(t.model, clipped.layout);
    const together = await clipped.run(p, {}, x, y, 0.1);
    const apart = new Float64Array(p.length);
    for (let i = 0; i < 4; i++) {
      const [xi, yi] = [x.data.slice(256 * i, 256 * (i + 1)), y.data.slice(10 * i, 10 * (i + 1))];
      const one = await clipped.run(p, {}, tensor("float32", [1, 1, 16, 16], xi), tensor("float32", [1, 10], yi), 0.1);
      expect(one.norms[0]! / together.norms[i]!).toBeCloseTo(1, 4);
      one.sum.forEach((v, k) => (apart[k]! += v));
      // Along its own direction the loss rises by the norm.
      const lossAt = async (h: number): Promise<number> => {
        const at = p.map((v, k) => v + (h * one.sum[k]!) / 0.1);
        return (await clipped.run(at, {}, tensor("float32", [1, 1, 16, 16], xi), tensor("float32", [1, 10], yi), 1))
          .losses[0]!;
      };
      const slope = ((await lossAt(0.005)) - (await lossAt(-0.005))) / 0.01;
      expect(slope / one.norms[0]!).toBeCloseTo(1, 1.5);
    }
    together.sum.forEach((v, k) => expect(Math.abs(v - apart[k]!)).toBeLessThan(1e-6));
    await clipped.close();
  });
  it("refuses what is no image, and groups that do not fit", () => {
    const spec = { inputShape: [1, 16, 16], classes: 10, rng: seeded(1), bounds: [0, 1] } as const;
    expect(() => privateCnn({ ...spec, inputShape: [784] })).toThrow(/takes images/);
    expect(() => privateCnn({ ...spec, groups: 5 })).toThrow(/5 groups do not divide/);
  });
});

describe("augmented views", () => {
  it("have the mean of their gradients as the record's, before the clipping", async () => {
    const t = privateCnn({ inputShape: [1, 16, 16], classes: 10, rng: seeded(1), bounds: [0, 1] });
    const { x, y } = batch(3, [1, 16, 16]);
    const rows = Uint32Array.of(0, 2);
    const changed = views(x, rows, 2, { shift: 2, flip: false }, seeded(9));
    const labels = views(y, rows, 2, null, seeded(9));
    const [single, double] = [
      await openClipped(ortEngine, t, { threads: 1 }),
      await openClipped(ortEngine, t, { threads: 1, copies: 2 }),
    ];
    const p = pack(t.model, single.layout);
    const found = await double.run(p, {}, changed, labels, 0.1);
    expect(found.norms).toHaveLength(2);
    const expected = new Float64Array(p.length);
    for (let i = 0; i < 2; i++) {
      const mean = new Float64Array(p.length);
      for (let k = 2 * i; k < 2 * i + 2; k++) {
        const one = {
          x: changed.data.slice(256 * k, 256 * (k + 1)) as Float32Array,
          y: labels.data.slice(10 * k, 10 * (k + 1)) as Float32Array,
        };
        const { sum } = await single.run(
          p,
          {},
          tensor("float32", [1, 1, 16, 16], one.x),
          tensor("float32", [1, 10], one.y),
          1e9,
        );
        sum.forEach((v, j) => (mean[j]! += v / 2));
      }
      const norm = Math.sqrt(mean.reduce((s, v) => s + v * v, 0));
      expect(found.norms[i]! / norm).toBeCloseTo(1, 4);
      mean.forEach((v, j) => (expected[j]! += v * Math.min(1, 0.1 / norm)));
    }
    found.sum.forEach((v, j) => expect(Math.abs(v - expected[j]!)).toBeLessThan(1e-6));
    await single.close();
    await double.close();
  });
});

describe("last layers", () => {
  const spec = { inputShape: [4], classes: 3, rng: seeded(1), hidden: [5, 6] };
  it("keeps the parameters of the last layers alone", () => {
    const mlp = buildArchitecture("mlp", spec);
    expect(layoutOf(mlp.model, lastLayers(mlp, 1).parameters).slots.map((s) => s.dims)).toEqual([[6, 3], [3]]);
    expect(lastLayers(mlp, 3).parameters).toEqual(mlp.parameters);
    expect(() => lastLayers(mlp, 4)).toThrow(/has 3 with weights; give 1 to 3/);
  });
  it("trains them and leaves the others", async () => {
    const mlp = buildArchitecture("mlp", spec);
    const plan = calibratePlan({ records: 30, batch: 10, steps: 2, targetEpsilon: 3, delta: 1e-4, clip: 1 });
    const targets = float32([30, 3]);
    for (let i = 0; i < 30; i++) targets.data[3 * i + (i % 3)] = 1;
    const { features } = diracs(30, 4);
    const { model } = await makePrivateTrainer(ortEngine, { threads: 1 })(
      lastLayers(mlp, 1),
      { features, targets },
      plan,
      {},
      quiet(),
    );
    const moved = mlp.parameters.filter((name) => {
      const [a, b] = [mlp.model, model].map((m) => m.graph.constants.get(name)!.data as Float32Array);
      return a!.some((v, i) => v !== b![i]);
    });
    expect(moved).toEqual(lastLayers(mlp, 1).parameters);
  });
});

describe("a shuffled order", () => {
  const spec = { records: 64, batch: 8, epochs: 2, targetEpsilon: 3, delta: 1e-4, clip: 1, order: "shuffled" } as const;
  const plan = calibratePlan(spec);
  const open = calibratePlan({ ...spec, seed: 3 });
  it("is accounted as trees of noise, zero-out", () => {
    expect(plan.adjacency).toBe("zero-out");
    expect(wholeEvent(plan)).toMatchObject({ events: [{ count: 2, event: { kind: "tree-aggregation", steps: 8 } }] });
    expect(() => calibratePlan({ ...spec, batch: 7.5 })).toThrow(/batch of a shuffled order/);
    expect(() => calibratePlan({ ...spec, adaptiveClip: {} })).toThrow(/left out with a shuffled order/);
  });
  it("goes once through all records in an epoch, another way each time", () => {
    const sampler = shuffledSampler(plan, sourceOf(open), 3);
    const epochs = [0, 1].map(() => Array.from({ length: 8 }, () => sampler.draw()));
    for (const epoch of epochs) {
      const rows = epoch.flatMap((d) => d.groups.flatMap((g) => [...g]));
      expect([...rows].sort((a, b) => a - b)).toEqual(Array.from({ length: 64 }, (_, i) => i));
      expect(epoch.map((d) => d.event !== null)).toEqual([true, ...Array<boolean>(7).fill(false)]);
    }
    expect(epochs[0]).not.toEqual(epochs[1]);
  });
  it("has in prefix sums the noise of as many nodes as the step has bits", () => {
    const d = 4000;
    const noise = openNoise(plan, sourceOf(open), d);
    const sum = noise.open(1);
    for (let epoch = 0; epoch < 2; epoch++) {
      const prefix = new Float64Array(d);
      for (let t = 1; t <= 8; t++) {
        sum.release(1).forEach((v, i) => (prefix[i]! += v));
        const bits = t.toString(2).replaceAll("0", "").length;
        const ratio = prefix.reduce((s, v) => s + v * v, 0) / d / (bits * noise.sigma ** 2);
        expect(Math.abs(ratio - 1)).toBeLessThan(5 * Math.sqrt(2 / d));
      }
    }
  });
  it("trains, and emits one event for each epoch", async () => {
    const result = await makePrivateTrainer(ortEngine, { threads: 1 })(linearTiny(4), diracs(64, 4), plan, {}, quiet());
    expect(result.updates).toBe(16);
    expect(result.event).toEqual(wholeEvent(plan));
    expect(result.epsilon).toBeCloseTo(plan.epsilon, 9);
  });
});
