import type { Engine, SessionOptions } from "../engine/engine.ts";
import { excerpt, MarauderError } from "../errors.ts";
import { float32, sizeOf } from "../tensor/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { runBatches } from "./batch-runner.ts";
import type { BatchRunner } from "./batch-runner.ts";
import type { BatchForm, PreparedModel } from "./prepare-model.ts";
import { argmaxRows } from "./scores.ts";
import type { Bounds } from "./target.ts";

/** What a few probe examples showed. */
export interface Verified {
  /** Scores in one row. */
  readonly width: number;
  readonly batch: BatchForm;
  /** Why a batch that looked open is run one by one after all. */
  readonly batchRefused: string | null;
  /** True where the numbers are probabilities although no Softmax was found at the end. */
  readonly probabilities: boolean;
}

/**
 * Runs the model as it is in the file and as it was prepared on a few examples, and compares: the cut output must be the
 * one that the file's own Softmax or Sigmoid makes of it, and a batch must give what single runs give.
 */
export async function verifyPrepared(
  prepared: PreparedModel,
  engine: Engine,
  bounds: Bounds,
  options: SessionOptions,
): Promise<Verified> {
  // Another number than the file's own batch size, or a constant of that size would pass unseen.
  const n = prepared.fileBatch.form === "fixed" && prepared.fileBatch.size === 2 ? 3 : 2;
  const x = probes(n, prepared.inputShape, bounds);
  const own = prepared.reference.graph.outputs[0]!.name;
  // One by one where the file says nothing else: that is the form every model supports.
  const form: BatchForm = prepared.fileBatch.form === "any" ? { form: "fixed", size: 1 } : prepared.fileBatch;
  const expected = await runOnce(engine, prepared, "reference", form, x, own, options);
  if (expected.every((v) => !Number.isFinite(v))) {
    throw new MarauderError(
      "ENGINE_FAILED",
      "the model answers no finite number in the middle of its bounds; check --bounds, --mean and --sd",
    );
  }
  let got: Float32Array | null = null;
  let problem: string | null = null;
  if (prepared.batch.form === "any") {
    try {
      got = await runOnce(engine, prepared, "model", prepared.batch, x, prepared.scores, options);
      if (!agrees(prepared, expected, got, n)) problem = `a batch of ${n} gives other results than single runs`;
    } catch (error) {
      if (!(error instanceof MarauderError)) throw error;
      problem = `the model fails on a batch of ${n}: ${excerpt(error.message, 160)}`;
    }
  }
  let batch = prepared.batch;
  if (got === null || problem !== null) {
    batch = form;
    got = await runOnce(engine, prepared, "unopened", batch, x, prepared.scores, options);
    if (!agrees(prepared, expected, got, n)) {
      throw new MarauderError(
        "MODEL_UNSUPPORTED",
        `cutting ${prepared.cut.join(", ") || "nothing"} from the model's output changed its answers; ` +
          "the model may be random or keep a state; expected the same answers for the same inputs",
      );
    }
  }
  const width = got.length / n;
  return { width, batch, batchRefused: problem, probabilities: areProbabilities(got, width) };
}

async function runOnce(
  engine: Engine,
  prepared: PreparedModel,
  which: "model" | "unopened" | "reference",
  batch: BatchForm,
  x: Tensor<"float32">,
  output: string,
  options: SessionOptions,
): Promise<Float32Array> {
  const session = await engine.load(prepared[which], options);
  try {
    const runner: BatchRunner = {
      session,
      input: prepared.input,
      inputShape: prepared.inputShape,
      batch,
      chunk: x.dims[0]!,
    };
    return (await runBatches(runner, x, [output])).get(output)!;
  } finally {
    await session.close();
  }
}

/** Examples spread over the bounds by a golden-ratio sequence: no generator, and no two positions alike. */
function probes(n: number, inputShape: readonly number[], bounds: Bounds): Tensor<"float32"> {
  const each = sizeOf(inputShape);
  const values = Float32Array.from(
    { length: n * each },
    (_, i) => bounds.low + (bounds.high - bounds.low) * ((i * 0.6180339887498949 + 0.1) % 1),
  );
  return float32([n, ...inputShape], values);
}

function agrees(prepared: PreparedModel, expected: Float32Array, scores: Float32Array, n: number): boolean {
  const width = scores.length / n;
  const { cut } = prepared;
  if (cut.includes("ArgMax")) {
    const classes = argmaxRows(scores, width);
    return expected.length === n && expected.every((v, i) => v === classes[i]);
  }
  let answers = scores;
  if (cut.includes("Softmax")) answers = softmaxRows(scores, width);
  else if (cut.includes("Sigmoid")) answers = scores.map((v) => 1 / (1 + Math.exp(-v)));
  let scale = 1;
  for (const v of expected) if (Number.isFinite(v)) scale = Math.max(scale, Math.abs(v));
  return (
    answers.length === expected.length &&
    answers.every((v, i) => Object.is(v, expected[i]) || Math.abs(v - expected[i]!) <= 1e-3 * scale)
  );
}

function softmaxRows(scores: Float32Array, width: number): Float32Array {
  const out = new Float32Array(scores.length);
  for (let from = 0; from < scores.length; from += width) {
    const row = scores.subarray(from, from + width);
    const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const exp = Float64Array.from(row, (v) => Math.exp(v - top));
    const sum = exp.reduce((a, b) => a + b, 0);
    for (const [i, v] of exp.entries()) out[from + i] = v / sum;
  }
  return out;
}

function areProbabilities(scores: Float32Array, width: number): boolean {
  if (width < 2 || scores.some((v) => !(v >= 0 && v <= 1 + 1e-5))) return false;
  for (let from = 0; from < scores.length; from += width) {
    const sum = scores.subarray(from, from + width).reduce((a, b) => a + b, 0);
    if (Math.abs(sum - 1) > 1e-4) return false;
  }
  return true;
}
