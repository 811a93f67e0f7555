import { openClipped, type ClippedGradients } from "../../src/train/clipping/clipped.ts";
import { mechanisms, poissonSampled, gaussian } from "../../src/privacy/index.ts";
import { seeded } from "../../src/random/index.ts";
import { tensor, type Tensor } from "../../src/tensor/index.ts";
import { gather } from "../../src/train/private/rows.ts";
import { openNoise, type PrivateNoise } from "../../src/train/private/noise.ts";
import { sourceOf } from "../../src/train/private/plan.ts";
import { poissonSampler, type DrawnBatch } from "../../src/train/private/sampler.ts";
import type { Parts } from "../../src/train/private/trainer.ts";

export interface Mutant {
  readonly name: string;
  /** The fault as others have made it, or could. */
  readonly story: string;
  readonly parts: Partial<Parts>;
}

type Run = ClippedGradients["run"];

/** The right gradients, run another way. */
const clippedBy =
  (wrap: (run: Run) => Run): Parts["clipped"] =>
  async (...args) => {
    const right = await openClipped(...args);
    return { ...right, run: wrap((...given) => right.run(...given)) };
  };
const sampledBy =
  (
    wrap: (
      draw: () => DrawnBatch,
      plan: Parameters<Parts["sampler"]>[0],
      source: mechanisms.NoiseSource,
      rows: number,
    ) => () => DrawnBatch,
  ): Parts["sampler"] =>
  (plan, source, rows) => {
    const right = poissonSampler(plan, source, rows);
    return { draw: wrap(() => right.draw(), plan, source, rows) };
  };
const noisedBy =
  (wrap: (right: PrivateNoise, ...args: Parameters<Parts["noise"]>) => PrivateNoise): Parts["noise"] =>
  (...args) =>
    wrap(openNoise(...args), ...args);

const rowsIn = (groups: readonly Uint32Array[]): number[] => groups.flatMap((g) => [...g]);
const grouped = (rows: readonly number[], size: number): Uint32Array[] =>
  Array.from({ length: Math.ceil(rows.length / size) }, (_, i) =>
    Uint32Array.from(rows.slice(i * size, (i + 1) * size)),
  );
const some = (plan: { records: number }): number[] => Array.from({ length: plan.records }, (_, i) => i);
const scaled = (v: Float32Array, c: number): Float32Array => v.map((x) => x * c);
const size = (v: Float32Array): number => Math.sqrt(v.reduce((s, x) => s + x * x, 0));
const one = (t: Tensor, i: number): Tensor => gather(t, Uint32Array.of(i));
const WIDE = 1e12;

/** Wrong trainers, each with one fault. */
export const mutants: readonly Mutant[] = [
  {
    name: "no noise",
    story: "the noise is forgotten",
    parts: { noise: noisedBy((right, _, __, d) => ({ ...right, open: () => silent(d) })) },
  },
  {
    name: "sigma not times the clip norm",
    story: "noise of sigma, whatever the gradients are cut to",
    parts: { noise: noisedBy((right) => ({ ...right, open: () => right.open(1) })) },
  },
  {
    name: "half the noise",
    story: "a microbatch of two is cut as one, or replace-one is accounted as add-or-remove",
    parts: { noise: noisedBy((right) => ({ ...right, open: (norm) => right.open(norm / 2) })) },
  },
  {
    name: "noise for each group",
    story: "noise is added with every microbatch of a logical batch",
    parts: {
      noise: noisedBy((right) => ({
        ...right,
        open(norm) {
          const [sum, more] = [right.open(norm), right.open(norm)];
          return {
            add(v) {
              sum.add(v);
              sum.add(more.release(1));
            },
            release: (n) => sum.release(n),
          };
        },
      })),
    },
  },
  {
    name: "noise only on what moved",
    story: "sparse updates: coordinates without gradient get no noise",
    parts: {
      noise: noisedBy((right, _, __, d) => ({
        ...right,
        open(norm) {
          const sum = right.open(norm);
          let seen = new Uint8Array(d);
          return {
            add: (v) => (Array.from(v).forEach((x, i) => (seen[i]! |= Number(x !== 0))), sum.add(v)),
            release(n) {
              const out = sum.release(n).map((v, i) => v * seen[i]!);
              seen = new Uint8Array(d);
              return out;
            },
          };
        },
      })),
    },
  },
  {
    name: "the same noise in every step",
    story: "the generator is set to its seed in every step",
    parts: {
      noise: noisedBy((right, plan, _, d) => ({
        ...right,
        open: (norm) => {
          const once = right.open(norm).release(1);
          const sum = silent(d);
          return { add: (v) => sum.add(v), release: (n) => ((sum.add(once), plan), sum.release(n)) };
        },
      })),
    },
  },
  {
    name: "seeded generator",
    story: "noise from a seeded generator in a plan that says system",
    parts: {
      source: (plan, spent) => ({
        ...mechanisms.seededSource(seeded(1).child(spent ?? 0)),
        secure: sourceOf(plan).secure,
        label: "system",
      }),
    },
  },
  {
    name: "noise again after a resume",
    story: "the generator starts from its seed when a training is taken up again; each run has another seed",
    parts: {
      source: (plan) => mechanisms.seededSource(seeded(runOf(plan)).child("resumed")),
    },
  },
  {
    name: "division by the true batch",
    story: "the mean over the records that came",
    parts: { divisor: (_, { groups }) => Math.max(1, rowsIn(groups).length) },
  },
  {
    name: "no clipping",
    story: "the gradients are summed as they are",
    parts: { clipped: clippedBy((run) => (p, f, x, t) => run(p, f, x, t, WIDE)) },
  },
  {
    name: "clip of the batch",
    story: "the sum is cut to the clip norm, not each record",
    parts: {
      clipped: clippedBy((run) => async (p, f, x, t, clip) => {
        const made = await run(p, f, x, t, WIDE);
        return { ...made, sum: scaled(made.sum, Math.min(1, (clip * x.dims[0]!) / size(made.sum))) };
      }),
    },
  },
  {
    name: "clip of pairs",
    story: "microbatches of two records are summed, then cut to twice the norm",
    parts: {
      clipped: clippedBy((run) => async (p, f, x, t, clip) => {
        const made = await run(p, f, x, t, WIDE);
        const sum = new Float32Array(made.sum.length);
        for (let i = 0; i < x.dims[0]!; i += 2) {
          const rows = Uint32Array.from(i + 1 < x.dims[0]! ? [i, i + 1] : [i]);
          const pair = (await run(p, f, gather(x, rows), gather(t, rows), WIDE)).sum;
          const c = Math.min(1, (2 * clip) / Math.max(1e-30, size(pair)));
          pair.forEach((v, k) => (sum[k]! += c * v));
        }
        return { ...made, sum };
      }),
    },
  },
  {
    name: "clip of each tensor",
    story: "every parameter tensor is cut to the whole norm by itself",
    parts: {
      clipped: clippedBy((run) => async (p, f, x, t, clip) => {
        const made = await run(p, f, x, t, WIDE);
        const sum = new Float32Array(made.sum.length);
        for (let i = 0; i < x.dims[0]!; i++) {
          const g = (await run(p, f, one(x, i), one(t, i), WIDE)).sum;
          if (!g.every(Number.isFinite)) continue;
          const cut = g.length === 16 ? 8 : g.length; // the model of two weights [4, 2]
          for (const part of [g.subarray(0, cut), g.subarray(cut)]) {
            const c = Math.min(1, clip / Math.max(1e-30, size(part)));
            part.forEach((v, k) => (sum[(part.byteOffset - g.byteOffset) / 4 + k]! += c * v));
          }
        }
        return { ...made, sum };
      }),
    },
  },
  {
    name: "NaN not zeroed",
    story: "a gradient that is not finite is multiplied by a factor of 0",
    parts: {
      clipped: clippedBy((run) => async (p, f, x, t, clip) => {
        const made = await run(p, f, x, t, clip);
        return made.norms.every(Number.isFinite) ? made : { ...made, sum: made.sum.map(() => NaN) };
      }),
      noise: noisedBy((right, _, __, d) => ({
        ...right,
        open(norm) {
          const sum = right.open(norm);
          let broken = false;
          return {
            add: (v) => ((broken ||= Array.from(v).some(Number.isNaN)), sum.add(v)),
            release: (n) => (broken ? new Float32Array(d).fill(NaN) : sum.release(n)),
          };
        },
      })),
    },
  },
  {
    name: "NaN stops the training",
    story: "a finite loss is asked for: the error tells that such a record is there",
    parts: {
      clipped: clippedBy((run) => async (p, f, x, t, clip) => {
        const made = await run(p, f, x, t, clip);
        if (!made.norms.every(Number.isFinite)) throw new Error("the loss is NaN");
        return made;
      }),
    },
  },
  {
    name: "dropped empty batch",
    story: "an empty sample is drawn again",
    parts: {
      sampler: sampledBy((draw) => () => {
        let made = draw();
        while (rowsIn(made.groups).length === 0) made = draw();
        return made;
      }),
    },
  },
  {
    name: "empty batch without event",
    story: "where nothing was drawn, nothing is counted",
    parts: {
      sampler: sampledBy((draw, plan) => () => {
        const made = draw();
        return rowsIn(made.groups).length === 0 ? { ...made, event: poissonSampled(0, gaussian(plan.sigma)) } : made;
      }),
    },
  },
  {
    name: "twice the rate",
    story: "the loader's batch is not the accountant's",
    parts: {
      sampler: sampledBy((draw, plan, _, rows) => () => {
        const made = draw();
        const all = [...new Set([...rowsIn(made.groups), ...rowsIn(draw().groups)])].slice(0, plan.cap);
        return { ...made, groups: grouped(all, rows) };
      }),
    },
  },
  {
    name: "shuffle",
    story: "batches of a shuffled epoch, accounted as Poisson sampling: the tutorials of TensorFlow Privacy",
    parts: {
      sampler: sampledBy((draw, plan, source, rows) => {
        let left: number[] = [];
        return () => {
          const batch: number[] = [];
          const wanted = Math.min(plan.cap, Math.max(1, Math.round(plan.expectedBatch)));
          while (batch.length < wanted) {
            if (left.length === 0) left = some(plan);
            batch.push(left.splice(mechanisms.uniformBelow(source, left.length), 1)[0]!);
          }
          return { ...draw(), groups: grouped(batch, rows) };
        };
      }),
    },
  },
  {
    name: "fixed batch size",
    story: "so many records without replacement, accounted as Poisson sampling",
    parts: {
      sampler: sampledBy((draw, plan, source, rows) => () => {
        const left = some(plan);
        const wanted = Math.min(plan.cap, Math.max(1, Math.round(plan.expectedBatch)));
        const batch = Array.from(
          { length: wanted },
          () => left.splice(mechanisms.uniformBelow(source, left.length), 1)[0]!,
        );
        return { ...draw(), groups: grouped(batch, rows) };
      }),
    },
  },
  {
    name: "the first of too many",
    story: "of a sample above the cap, the first records are kept",
    parts: {
      sampler: (plan, source, rows) => {
        const threshold = Math.round(plan.rate * 2 ** 32);
        return {
          draw() {
            const drawn = some(plan).filter(() => source.uint32() < threshold);
            return { event: plan.event, groups: grouped(drawn.slice(0, plan.cap), rows) };
          },
        };
      },
    },
  },
  {
    name: "events of a lower rate",
    story: "the accountant is told a smaller batch than is drawn",
    parts: {
      sampler: sampledBy((draw, plan) => () => ({
        ...draw(),
        event: poissonSampled(plan.rate / 2, gaussian(plan.sigma)),
      })),
    },
  },
  {
    name: "examples mixed before the gradient",
    story: "BatchNormalization in training mode, a mean or a softmax over the batch: the check is skipped",
    parts: {
      clipped: async (engine, trainable, given) => {
        const right = await openClipped(engine, trainable, given).catch(() => null);
        if (right !== null) return right;
        const layout = { slots: [{ name: "w", dims: [4, 2], size: 8 }], size: 8 };
        const nothing = (n: number) => ({
          sum: new Float32Array(8),
          norms: new Float32Array(n),
          losses: new Float32Array(n),
        });
        return { layout, run: async (_, __, x) => nothing(x.dims[0]!), close: async () => {} };
      },
    },
  },
];

/** Sums without noise. */
function silent(d: number) {
  const sum = new Float64Array(d);
  return {
    add: (v: ArrayLike<number>): void => sum.forEach((s, i) => (sum[i] = s + v[i]!)),
    release: (n: number): Float32Array => {
      const out = Float32Array.from(sum, (v) => v / n);
      sum.fill(0);
      return out;
    },
  };
}

/** Another number for each run of a plan, the same after a stop. */
const runs = new WeakMap<object, number>();
let run = 0;
function runOf(plan: object): number {
  run += 1;
  const kept = runs.get(plan) ?? run;
  runs.set(plan, kept);
  return kept;
}
void tensor;
