import { MarauderError } from "../errors.ts";
import type { Dim, Graph, Node } from "../ir/index.ts";
import { GraphBuilder, tensorInfo } from "../ir/index.ts";
import { float32, isFloat } from "../tensor/index.ts";
import type { DType } from "../tensor/index.ts";

export interface Normalization {
  /** One number, or one for each channel (or for each position where the example is a vector). */
  readonly mean: readonly number[];
  readonly sd: readonly number[];
}

/**
 * Puts (x - mean) / sd in front of an input, in float32, so that the model takes raw values, and a Cast where the model
 * wants another float type. The new input has a new name, which is returned; every reader of the old one stays as it is.
 * Channels are looked for on axis 1, then on the last axis. Throws MODEL_INPUT where the numbers do not fit the shape.
 */
export function foldNormalization(
  graph: Graph,
  inputName: string,
  normalization: Normalization | null,
): { graph: Graph; input: string; channelAxis: number | null } {
  const info = graph.inputs.find((i) => i.name === inputName);
  if (info === undefined) throw new MarauderError("INTERNAL", `internal: no input ${inputName} to normalize`);
  const dtype: DType = info.dtype ?? "float32";
  if (!isFloat(dtype)) {
    throw new MarauderError("MODEL_INPUT", `the input ${inputName} holds ${dtype}; expected a float type`);
  }
  if (normalization === null && dtype === "float32") return { graph, input: inputName, channelAxis: null };

  const b = new GraphBuilder(graph);
  const raw = b.fresh(`${inputName}_raw`);
  let value = raw;
  let channelAxis: number | null = null;
  if (normalization !== null) {
    const { mean, sd } = checked(normalization);
    const placed = place(Math.max(mean.length, sd.length), info.dims, inputName);
    channelAxis = placed.axis;
    const constant = (v: readonly number[]): string => b.constant(float32(v.length === 1 ? [] : placed.dims, v));
    // A division, as in the usual pipelines: multiplying by 1 / sd rounds differently.
    value = b.div(b.sub(value, constant(mean)), constant(sd));
  }
  if (dtype !== "float32") value = b.op("Cast", [value], { to: { type: "int", value: onnxCode(dtype) } });
  const built = b.build();
  const front = built.nodes.slice(graph.nodes.length);
  const last = front.at(-1)!;
  const nodes: Node[] = [...front.slice(0, -1), { ...last, outputs: [inputName] }, ...graph.nodes];
  const input = tensorInfo(raw, "float32", info.dims);
  const values = new Map(graph.values);
  values.set(inputName, { ...info, kind: "tensor" });
  return {
    graph: {
      ...graph,
      inputs: graph.inputs.map((i) => (i.name === inputName ? input : i)),
      nodes,
      constants: built.constants,
      values,
    },
    input: raw,
    channelAxis,
  };
}

const onnxCode = (dtype: DType): bigint => ({ float16: 10n, float64: 11n, bfloat16: 16n })[dtype as "float16"] ?? 1n;

function checked({ mean, sd }: Normalization): Normalization {
  const bad = (what: string): never => {
    throw new MarauderError("OPTION_RANGE", `${what}; give --mean and --sd as numbers separated by commas`);
  };
  if (mean.length === 0 || sd.length === 0) bad("mean and sd must not be empty");
  if (![...mean, ...sd].every(Number.isFinite)) bad("mean and sd must be finite numbers");
  if (!sd.every((v) => v > 0)) bad(`sd must be positive, got ${sd.join(", ")}`);
  if (mean.length !== sd.length && mean.length !== 1 && sd.length !== 1) {
    bad(`mean has ${mean.length} numbers and sd has ${sd.length}; expected as many`);
  }
  return { mean, sd };
}

function place(count: number, dims: readonly Dim[] | null, name: string): { dims: number[]; axis: number | null } {
  if (count === 1) return { dims: [], axis: null };
  const rank = dims?.length ?? 0;
  for (const axis of [1, rank - 1]) {
    if (axis >= 1 && axis < rank && dims![axis] === count) {
      return { dims: Array.from({ length: rank - axis }, (_, i) => (i === 0 ? count : 1)), axis };
    }
  }
  throw new MarauderError(
    "MODEL_INPUT",
    `${count} numbers of mean and sd do not fit the input ${name} of shape [${dims?.map((d) => d ?? "?").join(", ") ?? "unknown"}]; ` +
      "expected one number, or one for each channel (axis 1 or the last axis)",
  );
}
