import { getInt, getString } from "../attributes.ts";
import type { Dim } from "../graph.ts";
import { axesFrom } from "./shape-ops.ts";
import { axesOf, axisOf, broadcast, broadcastDim, known, numbersOf, productOf, type InferRule } from "./types.ts";

const reduce: InferRule = (s) => {
  const { dtype, dims, content } = s.in(0);
  const keep = getInt(s.node, "keepdims", 1) !== 0;
  if (dims === null) return [known(dtype, null)];
  const given = axesFrom(s, 1);
  if (given === null) return [known(dtype, keep ? dims.map(() => null) : null)];
  const none = given === undefined || given.length === 0;
  if (none && getInt(s.node, "noop_with_empty_axes", 0) !== 0) return [known(dtype, dims, content)];
  const axes = none ? dims.map((_, i) => i) : axesOf(given, dims.length);
  if (axes === null) return [known(dtype, null)];
  const out = keep ? dims.map((d, i) => (axes.includes(i) ? 1 : d)) : dims.filter((_, i) => !axes.includes(i));
  const whole = content !== undefined && s.node.op === "ReduceProd" && dims.length <= 1;
  return [known(dtype, out, whole ? [productOf(content)] : undefined)];
};

const argument: InferRule = (s) => {
  const { dims } = s.in(0);
  if (dims === null) return [known("int64", null)];
  const axis = axisOf(getInt(s.node, "axis", 0), dims.length);
  const keep = getInt(s.node, "keepdims", 1) !== 0;
  const out = keep ? dims.map((d, i) => (i === axis ? 1 : d)) : dims.filter((_, i) => i !== axis);
  return [known("int64", axis === null ? null : out)];
};

const topK: InferRule = (s) => {
  const { dtype, dims } = s.in(0);
  if (dims === null) return [known(dtype, null), known("int64", null)];
  const axis = axisOf(getInt(s.node, "axis", -1), dims.length);
  const k: Dim = s.has(1) ? (s.in(1).content?.[0] ?? numbersOf(s, 1)?.[0] ?? null) : getInt(s.node, "k", 0);
  const out = axis === null ? null : dims.map((d, i) => (i === axis ? k : d));
  return [known(dtype, out), known("int64", out)];
};

/** NumPy matmul: a vector on the left gets a leading axis, on the right a trailing one, removed again afterwards. */
function matmulDims(a: readonly Dim[] | null, b: readonly Dim[] | null): readonly Dim[] | null {
  if (a === null || b === null || a.length === 0 || b.length === 0) return null;
  const [left, right] = [a.length === 1 ? [1, ...a] : a, b.length === 1 ? [...b, 1] : b];
  const batch = broadcast([left.slice(0, -2), right.slice(0, -2)]);
  return batch && [...batch, ...(a.length === 1 ? [] : [left.at(-2)!]), ...(b.length === 1 ? [] : [right.at(-1)!])];
}

const gemm: InferRule = (s) => {
  const [a, b] = [s.in(0), s.in(1)];
  const rows = a.dims?.[getInt(s.node, "transA", 0) === 0 ? 0 : 1] ?? null;
  const columns = b.dims?.[getInt(s.node, "transB", 0) === 0 ? 1 : 0] ?? null;
  return [known(a.dtype ?? b.dtype, [rows, columns])];
};

/** Einsum with an explicit or implicit output; the ellipsis broadcasts. */
const einsum: InferRule = (s) => {
  const { dtype } = s.in(0);
  const equation = getString(s.node, "equation", "").replaceAll(" ", "");
  const [left, right] = equation.split("->");
  const terms = left!.split(",");
  if (terms.length !== s.node.inputs.length || equation.length > 4096) return [known(dtype, null)];
  const sizes = new Map<string, Dim>();
  let rest: readonly Dim[] | null = [];
  for (const [i, term] of terms.entries()) {
    const { dims } = s.in(i);
    if (dims === null) return [known(dtype, null)];
    const [head, tail] = term.includes("...") ? (term.split("...") as [string, string]) : [term, ""];
    if (head.length + tail.length > dims.length) return [known(dtype, null)];
    const at = (letter: string, d: Dim): void => {
      sizes.set(letter, sizes.has(letter) ? broadcastDim(sizes.get(letter)!, d) : d);
    };
    [...head].forEach((letter, k) => at(letter, dims[k]!));
    [...tail].forEach((letter, k) => at(letter, dims[dims.length - tail.length + k]!));
    if (term.includes("...")) rest = broadcast([rest, dims.slice(head.length, dims.length - tail.length)]);
  }
  const letters = [...left!.replace(/[^A-Za-z]/g, "")];
  const once = [...new Set(letters)].filter((l) => letters.filter((m) => m === l).length === 1).toSorted();
  const target = right ?? (left!.includes("...") ? "..." : "") + once.join("");
  const out: Dim[] = [];
  for (const part of target.match(/\.\.\.|[A-Za-z]/g) ?? []) {
    if (part !== "...") out.push(sizes.get(part) ?? null);
    else if (rest === null) return [known(dtype, null)];
    else out.push(...rest);
  }
  return [known(dtype, out)];
};

/** Losses: the labels' shape for "none", else a scalar. */
const loss: InferRule = (s) => {
  const { dtype, dims } = s.in(0);
  const whole = getString(s.node, "reduction", "mean") !== "none";
  return [known(dtype, whole ? [] : s.in(1).dims), known(dtype, dims)];
};

const reductions =
  "ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare";

export const reduceRules: readonly (readonly [string, InferRule])[] = [
  ...reductions.split(" ").map((name): [string, InferRule] => [name, reduce]),
  ["ArgMax", argument],
  ["ArgMin", argument],
  ["TopK", topK],
  ["MatMul", (s) => [known(s.in(0).dtype ?? s.in(1).dtype, matmulDims(s.in(0).dims, s.in(1).dims))]],
  ["MatMulInteger", (s) => [known("int32", matmulDims(s.in(0).dims, s.in(1).dims))]],
  ["QLinearMatMul", (s) => [known(s.in(7).dtype, matmulDims(s.in(0).dims, s.in(3).dims))]],
  ["Gemm", gemm],
  ["Einsum", einsum],
  ["Det", (s) => [known(s.in(0).dtype, s.in(0).dims?.slice(0, -2) ?? null)]],
  ["NegativeLogLikelihoodLoss", loss],
  ["SoftmaxCrossEntropyLoss", loss],
];
