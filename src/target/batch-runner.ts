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
  /** What is known of outputs: the shape of each example's, in float32. Their answers are then written where they belong. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Fewer examples than these in a run are not worth another lane; 1 by default. */
  readonly least?: number;
}

/** One more int32 input with a number for each example. */
export type Column = readonly [name: string, values: Int32Array];

/** Chunks for each lane whose answers are held at a time. */
const AHEAD = 4;

/**
 * Runs n examples in chunks, as many at a time as the session has lanes, and joins the outputs: for each fetched name
 * n * width numbers as float32, whatever the chunks were. A fixed batch is padded by repeating the last row; without a
 * batch axis examples run one by one.
 */
export async function runBatches(
  runner: BatchRunner,
  x: Tensor<"float32">,
  fetches: readonly string[],
  columns: readonly Column[] = [],
): Promise<Map<string, Float32Array>> {
  const { inputShape, batch, chunk, shapes = {} } = runner;
  const n = rowsOf(x, inputShape);
  const out = new Map<string, Float32Array>();
  const plan = planOf(runner, n);
  const known = plan.length > 1 || (plan[0]?.parts.length ?? 0) > 1 ? Object.entries(shapes) : [];
  for (const [name, shape] of known) out.set(name, new Float32Array(n * sizeOf(shape)));
  const intoOf = ({ from, rows, fed }: Part): Record<string, Tensor> => {
    const into: Record<string, Tensor> = {};
    for (const [name, shape] of fed === rows ? known : []) {
      const width = sizeOf(shape);
      into[name] = float32([rows, ...shape], out.get(name)!.subarray(from * width, (from + rows) * width));
    }
    return into;
  };
  for (const { session, parts } of plan) {
    const most = session.lanes * AHEAD * (batch.form === "any" ? 1 : Math.ceil(chunk / parts[0]!.fed));
    for (let done = 0; done < parts.length; done += most) {
      const group = parts.slice(done, done + most);
      const runs = group.map((part) => ({ feeds: feedsOf(runner, x, columns, part), fetches, into: intoOf(part) }));
      const answers = await session.runAll(runs);
      answers.forEach((answer, i) => {
        for (const name of fetches) join(out, name, answer[name]!, group[i]!, n);
      });
    }
  }
  if (n === 0) for (const name of fetches) out.set(name, new Float32Array(0));
  return out;
}

/** Rows of the batch that run together, `fed` with the padding. */
interface Part {
  readonly from: number;
  readonly rows: number;
  readonly fed: number;
}

/** Which rows run where. */
function planOf(runner: BatchRunner, n: number): { session: Session; parts: readonly Part[] }[] {
  const { session, whole, batch, chunk, least = 1 } = runner;
  const parts = (from: number, to: number, count: number, fixed?: number): Part[] =>
    Array.from({ length: count }, (_, i) => {
      const [begin, end] = [i, i + 1].map((k) =>
        fixed === undefined ? Math.round(((to - from) * k) / count) : fixed * k,
      );
      const rows = Math.min(to, from + end!) - from - begin!;
      return { from: from + begin!, rows, fed: fixed ?? rows };
    });
  if (n === 0) return [];
  if (batch.form !== "any") {
    const size = batch.form === "fixed" ? batch.size : 1;
    return [{ session, parts: parts(0, n, Math.ceil(n / size), size) }];
  }
  const wholes = whole === undefined ? 0 : Math.floor(n / chunk / whole.lanes) * whole.lanes;
  const left = n - wholes * chunk;
  const runs = Math.ceil(left / chunk);
  // The rest in even shares, as many for each lane where that leaves enough in each.
  const even = Math.ceil(runs / session.lanes) * session.lanes;
  const shares = Math.max(runs, Math.min(even, Math.floor(left / least)));
  const plan = [];
  if (wholes > 0) plan.push({ session: whole!, parts: parts(0, wholes * chunk, wholes) });
  if (left > 0) plan.push({ session, parts: parts(wholes * chunk, n, shares) });
  return plan;
}

function feedsOf(
  runner: BatchRunner,
  x: Tensor<"float32">,
  columns: readonly Column[],
  part: Part,
): Record<string, Tensor> {
  const { inputShape, batch, input } = runner;
  const { from, rows, fed } = part;
  const each = sizeOf(inputShape);
  const values = padded(x.data.subarray(from * each, (from + rows) * each), fed * each, each);
  const dims = batch.form === "none" ? inputShape : [fed, ...inputShape];
  const feeds: Record<string, Tensor> = { [input]: float32(dims, values) };
  for (const [name, numbers] of columns) {
    const own = numbers.subarray(from, from + rows);
    const column = rows === fed ? own : Int32Array.from({ length: fed }, (_, i) => own[Math.min(i, rows - 1)]!);
    feeds[name] = tensor("int32", [fed], column);
  }
  return feeds;
}

/** Puts the answer of one part to its place among the answers for all n rows. */
function join(out: Map<string, Float32Array>, name: string, value: Tensor, { from, rows, fed }: Part, n: number): void {
  const answer = toFloat32(value, name);
  if (answer.length % fed !== 0) {
    throw new MarauderError(
      "MODEL_INPUT",
      `the output ${name} has shape [${value.dims.join(", ")}] for ${fed} examples; expected one row for each; ` +
        "choose another with --output NAME",
    );
  }
  const width = answer.length / fed;
  // One run answers everything: its output is fresh, so nobody else holds it.
  if (rows === n && rows === fed) {
    out.set(name, answer);
    return;
  }
  let all = out.get(name);
  if (all !== undefined && answer.buffer === all.buffer) return; // it is there
  if (all === undefined) {
    all = new Float32Array(n * width);
    out.set(name, all);
  }
  if (all.length !== n * width) {
    throw new MarauderError("MODEL_INPUT", `the output ${name} changes its width between runs`);
  }
  all.set(rows === fed ? answer : answer.subarray(0, rows * width), from * width);
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
