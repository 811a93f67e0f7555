import type { Session } from "../engine/engine.ts";
import { MarauderError } from "../errors.ts";
import { float32, sizeOf, tensor } from "../tensor/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { BatchForm } from "./prepare-model.ts";

export interface BatchRunner {
  readonly session: Session;
  /** The session for exactly `chunk` examples, where it is another one. */
  readonly whole?: Session | undefined;
  readonly input: string;
  readonly inputShape: readonly number[];
  readonly batch: BatchForm;
  /** Most examples in one run. */
  readonly chunk: number;
}

/** One more int32 input with a number for each example. */
export type Column = readonly [name: string, values: Int32Array];

/**
 * Runs n examples in chunks and joins the outputs: for each fetched name n * width numbers as float32, whatever the
 * chunks were. A fixed batch is padded by repeating the last row; without a batch axis examples run one by one.
 */
export async function runBatches(
  runner: BatchRunner,
  x: Tensor<"float32">,
  fetches: readonly string[],
  columns: readonly Column[] = [],
): Promise<Map<string, Float32Array>> {
  const { inputShape, batch } = runner;
  const each = sizeOf(inputShape);
  const n = rowsOf(x, inputShape);
  const step = batch.form === "any" ? runner.chunk : batch.form === "fixed" ? batch.size : 1;
  const out = new Map<string, Float32Array>();
  for (let from = 0; from < n; from += step) {
    const rows = Math.min(step, n - from);
    const fed = batch.form === "fixed" ? batch.size : rows;
    const values = padded(x.data.subarray(from * each, (from + rows) * each), fed * each, each);
    const dims = batch.form === "none" ? inputShape : [fed, ...inputShape];
    const feeds: Record<string, Tensor> = { [runner.input]: float32(dims, values) };
    for (const [name, numbers] of columns) {
      const own = numbers.subarray(from, from + rows);
      const column = rows === fed ? own : Int32Array.from({ length: fed }, (_, i) => own[Math.min(i, rows - 1)]!);
      feeds[name] = tensor("int32", [fed], column);
    }
    const session = fed === runner.chunk ? (runner.whole ?? runner.session) : runner.session;
    const answers = await session.run(feeds, fetches);
    for (const name of fetches) {
      const answer = toFloat32(answers[name]!, name);
      if (answer.length % fed !== 0) {
        throw new MarauderError(
          "MODEL_INPUT",
          `the output ${name} has shape [${answers[name]!.dims.join(", ")}] for ${fed} examples; expected one row for each; ` +
            "choose another with --output NAME",
        );
      }
      const width = answer.length / fed;
      // One run answers everything: its output is fresh, so nobody else holds it.
      if (rows === n && rows === fed) {
        out.set(name, answer);
        continue;
      }
      let all = out.get(name);
      if (all === undefined) {
        all = new Float32Array(n * width);
        out.set(name, all);
      }
      if (all.length !== n * width)
        throw new MarauderError("MODEL_INPUT", `the output ${name} changes its width between runs`);
      all.set(rows === fed ? answer : answer.subarray(0, rows * width), from * width);
    }
  }
  if (n === 0) for (const name of fetches) out.set(name, new Float32Array(0));
  return out;
}

/** The number of examples; throws SHAPE_MISMATCH where they are not of the model's shape. */
export function rowsOf(x: Tensor<"float32">, inputShape: readonly number[]): number {
  const n = x.dims[0] ?? 0;
  if (x.dims.length === 0 || x.data.length !== n * sizeOf(inputShape)) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `the model takes examples of shape [${inputShape.join(", ")}]; expected a batch of [n, ${inputShape.join(", ")}], ` +
        `got [${x.dims.join(", ")}]`,
    );
  }
  return n;
}

function padded(values: Float32Array, length: number, each: number): Float32Array {
  if (values.length === length) return values;
  const out = new Float32Array(length);
  out.set(values);
  const last = values.subarray(values.length - each);
  for (let at = values.length; at < length; at += each) out.set(last, at);
  return out;
}

function toFloat32(value: Tensor, name: string): Float32Array {
  if (value.dtype === "float32") return value.data as Float32Array;
  if (value.dtype === "string" || value.dtype === "float16" || value.dtype.startsWith("complex")) {
    throw new MarauderError(
      "MODEL_INPUT",
      `the output ${name} holds ${value.dtype}; expected scores as float numbers; choose another with --output NAME`,
    );
  }
  return Float32Array.from(value.data as ArrayLike<number | bigint>, Number);
}
