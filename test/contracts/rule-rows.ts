import { float, floats, GraphBuilder, int, ints, string, tensorInfo } from "../../src/ir/index.ts";
import type { Dim, Model } from "../../src/ir/index.ts";
import { seeded } from "../../src/random/index.ts";
import { float32, int64, tensor, type Tensor } from "../../src/tensor/index.ts";

/** One case of the rule suite: a small model with one operator in it. */
export interface Row {
  readonly op: string;
  readonly label: string;
  readonly model: Model;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly wrt: readonly string[];
  readonly of: readonly string[];
  /** Where ONNX Runtime has no such kernel or is known to differ: why it is not asked. */
  readonly noOrt?: string;
  /** Where second derivatives do not exist at the points taken. */
  readonly noSecond?: string;
}

export interface InputSpec {
  readonly dims: readonly number[];
  /** Declared dims, where they differ from the real ones (symbols, null); null for an unknown rank. */
  readonly declared?: readonly Dim[] | null;
  /** Values are drawn uniformly from here. */
  readonly from?: readonly [number, number];
  /** Distances from these points are at least 0.05. */
  readonly kinks?: readonly number[];
  /** All values differ from each other by at least 0.02: maxima keep their place. */
  readonly distinct?: boolean;
  readonly data?: readonly number[];
  /** Given as a constant of the model. */
  readonly constant?: boolean;
  /** Not differentiated by. */
  readonly fixed?: boolean;
}

export type Inputs = Readonly<Record<string, InputSpec>>;
type Emit = (b: GraphBuilder, names: string[]) => string | string[];

/** Draws the values of an input. */
function draw(path: string, spec: InputSpec): Float32Array {
  const n = spec.dims.reduce((a, d) => a * d, 1);
  if (spec.data !== undefined) return Float32Array.from(spec.data);
  const rng = seeded(7).child(path);
  const [low, high] = spec.from ?? [-2, 2];
  if (spec.distinct === true) {
    const order = rng.permutation(n);
    return Float32Array.from(order, (k) => low + ((k + 0.5) / n) * (high - low));
  }
  const kinks = spec.kinks ?? [];
  return Float32Array.from({ length: n }, () => {
    for (;;) {
      const value = low + rng.float() * (high - low);
      if (kinks.every((k) => Math.abs(value - k) > 0.05)) return value;
    }
  });
}

export const OPSET = 20;

export function row(op: string, label: string, inputs: Inputs, emit: Emit, more: Partial<Row> = {}): Row {
  const b = new GraphBuilder();
  const feeds: Record<string, Tensor> = {};
  const names: string[] = [];
  const wrt: string[] = [];
  const constants = new Map<string, Tensor>();
  for (const [name, spec] of Object.entries(inputs)) {
    const value = float32(spec.dims, draw(`${op}/${label}/${name}`, spec));
    if (spec.constant === true) constants.set(b.constant(value, name), value);
    else {
      b.input(name, "float32", spec.declared === null ? [] : (spec.declared ?? spec.dims));
      feeds[name] = value;
    }
    names.push(spec.constant === true ? [...constants.keys()].at(-1)! : name);
    if (spec.fixed !== true) wrt.push(names.at(-1)!);
  }
  const made = emit(b, names);
  const of = typeof made === "string" ? [made] : made;
  const graph = b.build();
  const outputs = of.map((name) => tensorInfo(name, "float32", null));
  const inputInfos = graph.inputs.map((v) => (inputs[v.name]?.declared === null ? { ...v, dims: null } : v));
  const model: Model = {
    irVersion: 9,
    opsets: { "": OPSET },
    producer: "test",
    producerVersion: "",
    metadata: {},
    graph: { ...graph, inputs: inputInfos, outputs },
  };
  return { op, label, model, feeds, wrt, of, ...more };
}

export const at = (...dims: number[]): InputSpec => ({ dims });
export { float, floats, int, ints, string, float32, int64, tensor };
