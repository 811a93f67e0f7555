import { runContext } from "../../src/context.ts";
import { betaCdf, chiSquareTail } from "../../src/stats/special.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { MarauderError } from "../../src/errors.ts";
import { GraphBuilder, int } from "../../src/ir/index.ts";
import { flatten, pldOf } from "../../src/privacy/index.ts";
import { seeded } from "../../src/random/index.ts";
import { float32 } from "../../src/tensor/index.ts";
import type { Trainable } from "../../src/train/architectures.ts";
import type { CheckpointStore } from "../../src/train/checkpoints/checkpoint.ts";
import { calibratePlan, type PrivatePlan } from "../../src/train/private/plan.ts";
import { privateTrainerOf, roundingMargin, type Parts, type PrivateTrainer } from "../../src/train/private/trainer.ts";
import { layoutOf, pack } from "../../src/train/parameters.ts";
import { diracs, linearTiny, modelOf, normOf, withRow } from "./private-tiny.ts";

/** What a law or an audit finds wrong with a trainer; null where all is well. */
export type Verdict = string | null;
export type How = "static check" | "law" | "audit";
export interface Law {
  readonly name: string;
  readonly how: How;
  check(train: PrivateTrainer, plans: Plans): Promise<Verdict>;
}

const CLIP = 0.5;
const RECORDS = 60;
const base = { records: RECORDS, batch: 20, delta: 1e-4, clip: CLIP } as const;

/** One plan for each question: calibrated once, since that is what takes time. */
export interface Plans {
  /** One step of all records, with repeatable noise. */
  readonly repeatable: PrivatePlan;
  /** Forty steps at epsilon 3. */
  readonly usual: PrivatePlan;
  /** So little noise that it can be read from a step who took part. */
  readonly readable: PrivatePlan;
  readonly capped: PrivatePlan;
  readonly rare: PrivatePlan;
  /** The plan of the audit: epsilon 1, 120 records. */
  readonly audited: PrivatePlan;
}

export const makePlans = (): Plans => ({
  repeatable: calibratePlan({ ...base, batch: RECORDS, cap: RECORDS, steps: 1, targetEpsilon: 3, seed: 5 }),
  usual: calibratePlan({ ...base, steps: 40, targetEpsilon: 3 }),
  readable: calibratePlan({ ...base, steps: 60, targetEpsilon: 1e4 }),
  capped: calibratePlan({ ...base, steps: 60, targetEpsilon: 1e4, cap: 12 }),
  rare: calibratePlan({ ...base, batch: 0.7, steps: 150, targetEpsilon: 2.5e4 }),
  audited: calibratePlan({ ...base, records: 120, batch: 120, cap: 120, steps: 5, targetEpsilon: 1 }),
});

const RATE = 1e-4;
const options = { learningRate: RATE, momentum: 0, rows: 6 } as const;
const context = () => runContext({});

/** The noisy mean of each step, in clip norms and times the expected batch. */
async function sums(
  train: PrivateTrainer,
  plan: PrivatePlan,
  trainable: Trainable,
  examples = diracs(RECORDS, RECORDS),
) {
  const out: Float64Array[] = [];
  let before: Float32Array | null = null;
  const step = (_: number, now: Float32Array): void => {
    const from = before ?? pack(trainable.model, layoutOf(trainable.model, trainable.parameters));
    out.push(Float64Array.from(now, (v, i) => ((from[i]! - v) / RATE) * (plan.expectedBatch / plan.clip)));
    before = now.slice();
  };
  const result = await train(trainable, examples, plan, options, context(), { step });
  return { steps: out, result };
}

/** Who took part in each step: record i alone has a gradient along (1, -1) of row i. */
async function present(train: PrivateTrainer, plan: PrivatePlan): Promise<Uint8Array[]> {
  const { steps } = await sums(train, plan, linearTiny(RECORDS));
  return steps.map((sum) =>
    Uint8Array.from({ length: RECORDS }, (_, i) => Number(sum[2 * i + 1]! - sum[2 * i]! > Math.SQRT1_2)),
  );
}

const blank = () => ({ ...diracs(RECORDS, 40), features: float32([RECORDS, 40]) });
const ALPHA = 1e-6;
const count = (row: Uint8Array): number => row.reduce((a, b) => a + b, 0);

/** Two sides of a normal approximation: is `seen` of mean `mean` and standard deviation `sd`? */
const far = (seen: number, mean: number, sd: number): boolean => Math.abs(seen - mean) > 5 * sd;

export const laws: readonly Law[] = [
  {
    name: "examples are kept apart",
    how: "static check",
    async check(train, { usual }) {
      const mixers: [string, (b: GraphBuilder, x: string) => string][] = [
        [
          "BatchNormalization",
          (b, x) =>
            b.opN(
              "BatchNormalization",
              [x, ...[1, 0, 0.5, 2].map((v, i) => b.constant(float32([4], new Float32Array(4).fill(v)), `c${i}`))],
              3,
              { training_mode: int(1) },
              "mixer",
            )[0]!,
        ],
        ["ReduceMean", (b, x) => b.sub(x, b.op("ReduceMean", [x, b.indices([0])], {}, "mixer"))],
        ["Softmax", (b, x) => b.op("Softmax", [x], { axis: int(0) }, "mixer")],
      ];
      for (const [op, make] of mixers) {
        const b = new GraphBuilder();
        const x = b.input("x", "float32", ["N", 4]);
        const w = b.constant(float32([4, 2], [1, 2, 3, 4, 5, 6, 7, 8]), "w");
        const logits = b.output(b.matmul(make(b, x), w), "float32", ["N", 2], "logits");
        const trainable = { model: modelOf(b), parameters: [w], frozen: [], features: logits };
        const error = await train(trainable, diracs(RECORDS, 4), usual, options, context()).catch((e: unknown) => e);
        const named =
          error instanceof MarauderError &&
          error.code === "MODEL_UNSUPPORTED" &&
          error.message.includes(`${op} (node "mixer")`);
        if (!named) return `${op} over the batch was trained`;
      }
      return null;
    },
  },
  {
    name: "one record moves a step by at most clip / (q n)",
    how: "law",
    async check(train, { repeatable }) {
      const run = async (row: number[]): Promise<Float64Array> =>
        (await sums(train, repeatable, twoWeights(4), withRow(diracs(RECORDS, 4, 1), 7, row))).steps[0]!;
      const without = await run([0, 0, 0, 0]); // no gradient at all: as if it were not there
      const rows = [
        [3, 0, 0, 0],
        [1e4, -1e4, 1e4, 1e4],
        [0, 0, 0, -50],
        [0.5, 0.5, 0.5, 0.5],
      ];
      for (const row of rows) {
        const other = await run(row);
        const moved = normOf(other.map((v, i) => v - without[i]!));
        if (!(moved <= 1 + 1e-3)) return `a record moves the sum by ${moved.toFixed(2)} clip norms`;
      }
      return null;
    },
  },
  {
    name: "gradients that are not finite count as 0",
    how: "law",
    async check(train, { repeatable }) {
      const run = async (row: number[]) =>
        (await sums(train, repeatable, linearTiny(4), withRow(diracs(RECORDS, 4, 1), 7, row))).steps[0]!;
      const zero = await run([0, 0, 0, 0]);
      for (const row of [
        [NaN, 0, 0, 0],
        [Infinity, 0, 0, 0],
      ]) {
        const error = await run(row).catch((e: unknown) => e);
        if (!(error instanceof Float64Array)) return `${row[0]} in one record stops the training, which tells of it`;
        if (!(normOf(error.map((v, i) => v - zero[i]!)) <= 1e-3)) return `${row[0]} in one record reaches the sum`;
      }
      return null;
    },
  },
  {
    name: "every step has fresh noise of sigma times clip, once",
    how: "law",
    async check(train, { usual }) {
      const { steps } = await sums(train, usual, linearTiny(40), blank());
      if (steps.length !== usual.steps) return `${steps.length} steps were taken, ${usual.steps} planned`;
      const all = steps.flatMap((s) => [...s]);
      const statistic = all.reduce((s, v) => s + (v / usual.addedSigma) ** 2, 0);
      const p = chiSquareTail(statistic, all.length);
      const ratio = Math.sqrt(statistic / all.length).toFixed(2);
      if (p < ALPHA || p > 1 - ALPHA) return `noise has ${ratio} times the planned deviation`;
      let product = 0;
      for (let t = 1; t < steps.length; t++) steps[t]!.forEach((v, i) => (product += v * steps[t - 1]![i]!));
      const sd = usual.addedSigma ** 2 * Math.sqrt((steps.length - 1) * steps[0]!.length);
      return far(product, 0, sd) ? "noise of a step goes with that of the one before" : null;
    },
  },
  {
    name: "noise is new in every run",
    how: "law",
    async check(train, { usual }) {
      const run = async () => (await sums(train, usual, linearTiny(40), blank())).steps[0]!;
      const [a, b] = [await run(), await run()];
      return a.some((v, i) => v === b[i]) ? "two runs have the same noise" : null;
    },
  },
  {
    name: "a run that is taken up again has new noise",
    how: "law",
    async check(train, { usual }) {
      let kept: Uint8Array | null = null;
      const store: CheckpointStore = {
        open: async () => ({ read: async () => kept, write: async (c) => void (kept = c), close: async () => {} }),
      };
      const taken: Float32Array[] = [];
      const stop = new AbortController();
      const step = (_: number, p: Float32Array): void => {
        taken.push(p.slice());
        if (taken.length === 3) stop.abort();
      };
      const go = (signal: AbortSignal) =>
        train(linearTiny(40), blank(), usual, options, { ...context(), signal }, { step, checkpoint: { store } });
      await go(stop.signal).catch(() => {});
      await go(new AbortController().signal);
      const first = taken[0]!.map((v) => v);
      const after = taken[3]!.map((v, i) => v - taken[2]![i]!);
      const distance = normOf(after.map((v, i) => v - first[i]!)) / normOf(first);
      return distance < 0.01 ? "the noise of the first step comes back" : null;
    },
  },
  {
    name: "each record comes with probability q, by itself",
    how: "law",
    async check(train, { readable }) {
      const { rate, steps } = readable;
      const rows = await present(train, readable);
      const expected = steps * rate;
      const byRecord = Array.from({ length: RECORDS }, (_, i) => rows.reduce((s, r) => s + r[i]!, 0));
      const total = byRecord.reduce((a, b) => a + b, 0);
      const spread = rate * (1 - rate);
      if (far(total, RECORDS * expected, Math.sqrt(RECORDS * steps * spread) + 1))
        return `records come ${(total / RECORDS / steps).toFixed(3)} of the time, not ${rate.toFixed(3)}`;
      const sizes = rows.map(count);
      const mean = total / rows.length;
      const ratio = sizes.reduce((s, x) => s + (x - mean) ** 2, 0) / (rows.length - 1) / (RECORDS * spread);
      if (ratio < 1 - 5 * Math.sqrt(2 / steps) || ratio > 1 + 5 * Math.sqrt(2 / steps))
        return `batch sizes vary by ${ratio.toFixed(2)} of what independent records give`;
      let twice = 0;
      for (let t = 1; t < rows.length; t++) for (let i = 0; i < RECORDS; i++) twice += rows[t]![i]! * rows[t - 1]![i]!;
      const pairs = RECORDS * (steps - 1);
      if (far(twice, pairs * rate ** 2, 2 * Math.sqrt(pairs * rate ** 2)))
        return `records come in two steps running ${(twice / pairs).toFixed(3)} of the time, not ${(rate ** 2).toFixed(3)}`;
      return null;
    },
  },
  {
    name: "of too many records a random part is kept",
    how: "law",
    async check(train, { capped }) {
      const rows = await present(train, capped);
      if (rows.some((r) => count(r) > capped.cap + 3)) return `a step of more than ${capped.cap} records`;
      const half = (from: number) => rows.reduce((s, r) => s + count(r.subarray(from, from + RECORDS / 2)), 0);
      const [low, high] = [half(0), half(RECORDS / 2)];
      return far(low, (low + high) / 2, Math.sqrt(low + high))
        ? `the first half of the records comes ${low} times, the second ${high}`
        : null;
    },
  },
  {
    name: "a sum is divided by q n, not by the records that came",
    how: "law",
    async check(train, { readable }) {
      const { steps } = await sums(train, readable, linearTiny(RECORDS));
      // With the right divisor every record that came adds 1 along its own direction.
      const sizes = steps.map((s) =>
        Array.from({ length: RECORDS }, (_, i) => (s[2 * i + 1]! - s[2 * i]!) / Math.SQRT2).filter((v) => v > 0.5),
      );
      const off = sizes.flatMap((v) => v).map((v) => v - (1 - roundingMargin(options.rows)));
      const bySize = sizes.map((v) => v.reduce((a, b) => a + b, 0) / Math.max(1, v.length));
      const mean = off.reduce((a, b) => a + b, 0) / off.length;
      const each = readable.addedSigma / Math.sqrt(readable.expectedBatch);
      const spread = Math.sqrt(bySize.reduce((s, v) => s + (v - 1) ** 2, 0) / bySize.length);
      return Math.abs(mean) > 0.05 || spread > 2 * each + 0.02
        ? `what a record adds varies by ${spread.toFixed(3)}, not ${each.toFixed(3)}`
        : null;
    },
  },
  {
    name: "empty batches are noised and counted",
    how: "law",
    async check(train, { rare }) {
      const { steps, result } = await sums(train, rare, linearTiny(RECORDS));
      if (steps.length !== rare.steps) return `${rare.steps - steps.length} steps are missing`;
      if (steps.some((s) => s.filter((v) => v === 0).length > 1)) return "a step without noise";
      const planned = JSON.stringify(rare.event);
      const emitted = flatten(result.event).reduce(
        (s, leaf) => s + Number(JSON.stringify(leaf.event) === planned) * leaf.count,
        0,
      );
      if (emitted !== rare.steps) return `${emitted} of ${rare.steps} events are emitted`;
      const empty = steps.filter(
        (s) => !Array.from({ length: RECORDS }, (_, i) => s[2 * i + 1]! - s[2 * i]!).some((v) => v > Math.SQRT1_2),
      ).length;
      const p = (1 - rare.rate) ** RECORDS;
      return far(empty, rare.steps * p, Math.sqrt(rare.steps * p * (1 - p)) + 2)
        ? `${empty} of ${rare.steps} batches are empty, expected ${Math.round(rare.steps * p)}`
        : null;
    },
  },
  {
    name: "the emitted events cost what the plan says",
    how: "law",
    async check(train, { usual }) {
      const { result } = await sums(train, usual, linearTiny(40), blank());
      const cost = pldOf(result.event, usual.adjacency).epsilon(usual.delta);
      return Math.abs(cost - usual.epsilon) > 1e-6
        ? `emitted events cost epsilon ${cost.toFixed(3)}, the plan says ${usual.epsilon.toFixed(3)}`
        : null;
    },
  },
  {
    name: "one-run audit",
    how: "audit",
    async check(train, { audited }) {
      const found = await oneRunAudit(train, audited);
      return found > audited.epsilon
        ? `epsilon is at least ${found.toFixed(2)} (95 %), the plan says ${audited.epsilon.toFixed(2)}`
        : null;
    },
  },
];

/** Two parameters, so that norms over all of them are tested: logits = x W + tanh(x) V. V is not quite 0, or the builder would share them. */
function twoWeights(width: number): Trainable {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", ["N", width]);
  const [w, v] = ["w", "v"].map((name, k) =>
    b.constant(float32([width, 2], new Float32Array(2 * width).fill(k / 2 ** 20)), name),
  ) as [string, string];
  const logits = b.output(b.add(b.matmul(x, w), b.matmul(b.op("Tanh", [x]), v)), "float32", ["N", 2], "logits");
  return { model: modelOf(b), parameters: [w, v], frozen: [], features: logits };
}

/**
 * Steinke, Nasr and Jagielski 2023, algorithm 1, white box: every record is a canary with a direction of its own and takes
 * part with probability 1/2. The sum of all steps along its direction tells who did.
 */
export async function oneRunAudit(train: PrivateTrainer, plan: PrivatePlan, seed = 1): Promise<number> {
  const m = plan.records;
  const rng = seeded(seed).child("audit");
  const inside = Uint8Array.from({ length: m }, () => rng.int(2));
  const examples = diracs(m, m);
  const data = (examples.features.data as Float32Array).slice();
  inside.forEach((bit, i) => (data[i * m + i]! *= bit));
  const { steps } = await sums(train, plan, linearTiny(m), { ...examples, features: float32([m, m], data) });
  const score = Array.from({ length: m }, (_, i) => steps.reduce((s, v) => s + v[2 * i + 1]! - v[2 * i]!, 0));
  const guesses = m / 3;
  const order = score
    .map((_, i) => i)
    .sort((a, b) => Math.abs(score[b]! - middle(score)) - Math.abs(score[a]! - middle(score)));
  const correct = order.slice(0, guesses).filter((i) => Number(score[i]! > middle(score)) === inside[i]).length;
  return oneRunBound(m, guesses, correct, plan.delta, 0.05);
}

const middle = (v: readonly number[]): number => [...v].sort((a, b) => a - b)[v.length >> 1]!;

/** Largest epsilon that r guesses of m canaries with `correct` right refute at this significance (ibid., theorem 5.2). */
export function oneRunBound(m: number, r: number, correct: number, delta: number, significance: number): number {
  const atLeast = (c: number, q: number): number => (c <= 0 ? 1 : c > r ? 0 : betaCdf(q, c, r - c + 1));
  const p = (epsilon: number): number => {
    const q = 1 / (1 + Math.exp(-epsilon));
    const beta = atLeast(correct, q);
    let alpha = 0;
    for (let i = 1; i <= correct; i++) alpha = Math.max(alpha, (atLeast(correct - i, q) - beta) / i);
    return Math.min(1, beta + 2 * m * delta * alpha);
  };
  if (p(0) > significance) return 0;
  let [low, high] = [0, 30];
  for (let i = 0; i < 60; i++) {
    const at = (low + high) / 2;
    if (p(at) <= significance) low = at;
    else high = at;
  }
  return low;
}

/** What each law says of a trainer with these parts. */
export async function judge(
  engine: Engine,
  parts: Partial<Parts>,
  plans: Plans,
  only: readonly string[] = laws.map((law) => law.name),
): Promise<{ law: Law; verdict: string }[]> {
  const out: { law: Law; verdict: string }[] = [];
  for (const law of laws.filter((l) => only.includes(l.name))) {
    const verdict = await law
      .check(privateTrainerOf(engine, parts, { threads: 1 }), plans)
      .catch((e: unknown) => `it fails: ${String(e).slice(0, 120)}`);
    if (verdict !== null) out.push({ law, verdict });
  }
  return out;
}
