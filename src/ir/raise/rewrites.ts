import { MarauderError, excerpt } from "../../errors.ts";
import { tensor } from "../../tensor/index.ts";
import { getFloat, getFloats, getInt, getInts, getString, int, string } from "../attributes.ts";
import type { Node } from "../graph.ts";
import { numbersIn } from "../infer/types.ts";
import { floatLike, indices, op, without, type Emit, type Rewrite } from "./emit.ts";

function refuse(node: Node, e: Emit, why: string): never {
  throw new MarauderError(
    "MODEL_UNSUPPORTED",
    `${node.op} '${excerpt(node.name || (node.outputs[0] ?? ""), 80)}' of opset ${e.from}: ${why}; export the model with opset 13 or later`,
    { details: { op: node.op, node: node.name } },
  );
}

const input = (node: Node, i: number): string => node.inputs[i] ?? "";
const unless = (text: string, then: string): string[] => (text === "" ? [then] : [then, text]);

/** An integer list moves from an attribute to input `at`. */
const attributeToInput =
  (name: string, at: number): Rewrite =>
  (node, e) => {
    const values = getInts(node, name);
    if (values === null) return e.push(node);
    const inputs = [...node.inputs];
    while (inputs.length < at) inputs.push("");
    inputs[at] = indices(e, values, name);
    e.push({ ...node, inputs, attributes: without(node, name) });
  };

const slice: Rewrite = (node, e) => {
  const [starts, ends, axes] = [getInts(node, "starts"), getInts(node, "ends"), getInts(node, "axes")];
  if (starts === null || ends === null) return refuse(node, e, "starts or ends are missing");
  const inputs = [input(node, 0), indices(e, starts, "starts"), indices(e, ends, "ends")];
  if (axes !== null) inputs.push(indices(e, axes, "axes"));
  e.push({ ...node, inputs, attributes: without(node, "starts", "ends", "axes") });
};

const clip: Rewrite = (node, e) => {
  const x = input(node, 0);
  const bound = (name: string): string =>
    node.attributes[name] === undefined ? "" : floatLike(e, [getFloat(node, name, 0)], [], x);
  const [low, high] = [bound("min"), bound("max")];
  const inputs = high !== "" ? [x, low, high] : unless(low, x);
  e.push({ ...node, inputs, attributes: without(node, "min", "max") });
};

const pad: Rewrite = (node, e) => {
  const pads = getInts(node, "pads");
  if (pads === null) return refuse(node, e, "pads are missing");
  const x = input(node, 0);
  const inputs = [x, indices(e, pads, "pads"), floatLike(e, [getFloat(node, "value", 0)], [], x)];
  e.push({ ...node, inputs, attributes: without(node, "pads", "value") });
};

/** Before 18 an equal split needed no word; now the number of parts is named. */
const split: Rewrite = (node, e) => {
  const sizes = getInts(node, "split");
  if (sizes !== null) return attributeToInput("split", 1)(node, e);
  if (input(node, 1) !== "") return e.push(node);
  e.push({ ...node, attributes: { ...node.attributes, num_outputs: int(node.outputs.length) } });
};

const topK: Rewrite = (node, e) =>
  e.push({
    ...node,
    inputs: [input(node, 0), indices(e, [getInt(node, "k", 0)], "k")],
    attributes: without(node, "k"),
  });

/** Dropout passes its input on at prediction time; the ratio is kept for training. */
const dropout: Rewrite = (node, e) => {
  const [y, mask] = [node.outputs[0]!, node.outputs[1] ?? ""];
  const ratio = e.addConstant(tensor("float32", [], Float32Array.of(getFloat(node, "ratio", 0.5))), "ratio");
  const keep = mask !== "" && e.used(mask);
  if (keep && e.from < 10) return refuse(node, e, "its mask is used and has another type today");
  e.push({
    ...node,
    inputs: [input(node, 0), ratio],
    outputs: keep ? [y, mask] : [y],
    attributes: without(node, "ratio", "is_test"),
  });
};

/** Until opset 12 the input was seen as a matrix: axes from `axis` on, normalized together. */
const softmax: Rewrite = (node, e) => {
  const x = input(node, 0);
  const axis = getInt(node, "axis", 1);
  const rank = e.dims(x)?.length;
  const attributes = { ...node.attributes, axis: int(-1) };
  if (axis === -1 || (rank !== undefined && axis === rank - 1)) return e.push({ ...node, attributes });
  const flat = op(e, "Flatten", [x], { axis: int(axis) });
  const inner = op(e, node.op, [flat], attributes);
  e.push({ ...node, op: "Reshape", inputs: [inner, op(e, "Shape", [x])], attributes: {} });
};

const batchNorm: Rewrite = (node, e) => {
  if (node.outputs.slice(1).some((name) => name !== "" && e.used(name)))
    return refuse(node, e, "it is in training form (its statistics are used)");
  const [x, scale, bias, mean, variance] = [0, 1, 2, 3, 4].map((i) => input(node, i)) as [
    string,
    string,
    string,
    string,
    string,
  ];
  const attributes = without(node, "spatial", "is_test", "consumed_inputs");
  if (getInt(node, "spatial", 1) !== 0) return e.push({ ...node, outputs: [node.outputs[0]!], attributes });
  // One mean and variance for every feature, not for every channel: plain arithmetic, broadcast over the batch.
  const epsilon = floatLike(e, [getFloat(node, "epsilon", 1e-5)], [], variance);
  const deviation = op(e, "Sqrt", [op(e, "Add", [variance, epsilon])]);
  const normal = op(e, "Div", [op(e, "Sub", [x, mean]), deviation]);
  e.push({
    ...node,
    op: "Add",
    inputs: [op(e, "Mul", [normal, scale]), bias],
    outputs: [node.outputs[0]!],
    attributes: {},
  });
};

/**
 * Upsample and Resize-10: output i reads input i / scale. "nearest" took the element below when enlarging and, as
 * runtimes do it, the one above when shrinking, axis by axis.
 */
const resize: Rewrite = (node, e) => {
  const x = input(node, 0);
  const attribute = getFloats(node, "scales");
  const known = attribute ?? scalesOf(e, input(node, 1));
  const given = attribute === null ? input(node, 1) : "";
  const mode = getString(node, "mode", "nearest");
  const emit = (from: string, scales: string, nearest: string, output: string): void =>
    e.push({
      ...node,
      op: "Resize",
      inputs: [from, "", scales],
      outputs: [output],
      attributes: {
        mode: string(mode === "bilinear" ? "linear" : mode),
        coordinate_transformation_mode: string("asymmetric"),
        ...(mode === "nearest" ? { nearest_mode: string(nearest) } : {}),
      },
    });
  const listed = (values: readonly number[]): string =>
    e.addConstant(tensor("float32", [values.length], Float32Array.from(values)), "scales");
  const y = node.outputs[0]!;
  if (known === null) {
    if (given === "") return refuse(node, e, "scales are missing");
    return emit(x, given, "floor", y);
  }
  const shrinks = known.some((f) => f < 1);
  const grows = known.some((f) => f > 1);
  if (mode === "nearest" && shrinks && grows) {
    const between = e.fresh("resize");
    emit(x, listed(known.map((f) => Math.max(f, 1))), "floor", between);
    emit(between, listed(known.map((f) => Math.min(f, 1))), "ceil", y);
  } else emit(x, given === "" ? listed(known) : given, shrinks ? "ceil" : "floor", y);
};

function scalesOf(e: Emit, name: string): readonly number[] | null {
  const value = e.constantOf(name);
  return value === null ? null : numbersIn(value);
}

/** Resize-11 demanded a roi and scales, empty where they mean nothing; today they are left out. */
const resize11: Rewrite = (node, e) => {
  const empty = (i: number): boolean => e.constantOf(input(node, i))?.data.length === 0;
  const needsRoi = getString(node, "coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize";
  const inputs = node.inputs.map((name, i) => ((i === 1 && !needsRoi) || (i === 2 && empty(2)) ? "" : name));
  if (getString(node, "coordinate_transformation_mode", "") === "tf_half_pixel_for_nn")
    return refuse(node, e, "coordinate_transformation_mode tf_half_pixel_for_nn was removed from ONNX");
  e.push({ ...node, inputs });
};

const roiAlign: Rewrite = (node, e) =>
  e.push({
    ...node,
    attributes: { ...node.attributes, coordinate_transformation_mode: string("output_half_pixel") },
  });

/** Operators that were "experimental" until opset 9. */
const affine: Rewrite = (node, e) => {
  const x = input(node, 0);
  const scaled = op(e, "Mul", [x, floatLike(e, [getFloat(node, "alpha", 1)], [], x)]);
  const beta = floatLike(e, [getFloat(node, "beta", 0)], [], x);
  e.push({ ...node, op: "Add", inputs: [scaled, beta], attributes: {} });
};
const imageScaler: Rewrite = (node, e) => {
  const x = input(node, 0);
  const bias = getFloats(node, "bias") ?? [];
  const scaled = op(e, "Mul", [x, floatLike(e, [getFloat(node, "scale", 1)], [], x)]);
  if (bias.length === 0) return e.push({ ...node, op: "Identity", inputs: [scaled], attributes: {} });
  e.push({
    ...node,
    op: "Add",
    inputs: [scaled, floatLike(e, bias, [1, bias.length, 1, 1], x)],
    attributes: {},
  });
};
const scaledTanh: Rewrite = (node, e) => {
  const x = input(node, 0);
  const inner = op(e, "Tanh", [op(e, "Mul", [x, floatLike(e, [getFloat(node, "beta", 1)], [], x)])]);
  e.push({ ...node, op: "Mul", inputs: [inner, floatLike(e, [getFloat(node, "alpha", 1)], [], x)], attributes: {} });
};

const reductions = "Mean Max Min Prod L1 L2 LogSum LogSumExp SumSquare".split(" ").map((name) => `Reduce${name}`);

/** What is rewritten in models that speak an opset below `before`. */
export const rewrites: readonly (readonly [operator: string, before: number, rewrite: Rewrite])[] = [
  ["Squeeze", 13, attributeToInput("axes", 1)],
  ["Unsqueeze", 13, attributeToInput("axes", 1)],
  ["ReduceSum", 13, attributeToInput("axes", 1)],
  ...reductions.map((name) => [name, 18, attributeToInput("axes", 1)] as const),
  ["Slice", 10, slice],
  ["Clip", 11, clip],
  ["Pad", 11, pad],
  ["Split", 18, split],
  ["TopK", 10, topK],
  ["Dropout", 12, dropout],
  ["Softmax", 13, softmax],
  ["LogSoftmax", 13, softmax],
  ["Hardmax", 13, softmax],
  ["BatchNormalization", 14, batchNorm],
  ["Upsample", 10, resize],
  ["Resize", 11, resize],
  ["Resize", 18, resize11],
  ["Scatter", 18, (node, e) => e.push({ ...node, op: "ScatterElements" })],
  ["RoiAlign", 16, roiAlign],
  ["Scan", 9, (node, e) => refuse(node, e, "the form of opset 8, with sequence lengths, is not handled")],
  ["Affine", 10, affine],
  ["ImageScaler", 10, imageScaler],
  ["ScaledTanh", 10, scaledTanh],
];
