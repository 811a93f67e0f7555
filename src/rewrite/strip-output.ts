import { getInt, getString } from "../ir/index.ts";
import type { Dim, DimsOf, Graph, Node } from "../ir/index.ts";
import { producers, readers } from "./uses.ts";

/** What the scores of a model are, once the output was stripped. */
export type ScoreKind =
  /** Behind a Softmax that was cut, or no normalization found. */
  | "logits"
  /** LogSoftmax: logits up to a constant for each example. */
  | "log-probabilities"
  /** A normalization that cannot be cut (inside a classifier operator): take the logarithm. */
  | "probabilities"
  /** Behind a Sigmoid that was cut: one logit for each class. */
  | "sigmoid-logits";

export interface Stripped {
  readonly graph: Graph;
  /** The value that holds the scores. */
  readonly scores: string;
  readonly kind: ScoreKind;
  /** What was cut or passed by, from the output inwards: operator names, without shape operators, which stay. */
  readonly cut: readonly string[];
}

/** Operators that neither change nor reorder the numbers of one example. */
const shapeOnly = new Set(["Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Dropout"]);

const plain = (node: Node): boolean => node.domain === "" || node.domain === "ai.onnx";
const isMl = (node: Node): boolean => node.domain === "ai.onnx.ml";

/**
 * Finds the logits behind a model's output: cuts a final Softmax or Sigmoid, keeps LogSoftmax, takes the tensor in
 * front of ZipMap and ArgMax, and looks through reshapes and casts, which stay. `dimsOf` tells what is known of a
 * value's shape (null: nothing): a Softmax that does not run over all scores of an example is not cut.
 */
export function stripOutput(graph: Graph, output: string, dimsOf: DimsOf = () => null, opset = 18): Stripped {
  const madeBy = producers(graph);
  const readBy = readers(graph);
  const cut: string[] = [];
  let scores = output;
  // Wrappers whose input is the scores tensor itself.
  for (;;) {
    const node = madeBy.get(scores);
    if (node === undefined) break;
    if (isMl(node) && node.op === "ZipMap" && node.inputs[0] !== undefined) {
      cut.push("ZipMap");
      scores = node.inputs[0];
    } else if (plain(node) && node.op === "ArgMax" && takesClasses(node, dimsOf(node.inputs[0]!))) {
      cut.push("ArgMax");
      scores = node.inputs[0]!;
    } else break;
  }
  // The normalization, behind any number of shape operators.
  let at = scores;
  for (;;) {
    const node = madeBy.get(at);
    if (node === undefined) break;
    const shape = plain(node) && (shapeOnly.has(node.op) || isFloatCast(node)) && at === node.outputs[0];
    if (shape && (readBy.get(at)?.length ?? 0) <= 1) {
      at = node.inputs[0]!;
      continue;
    }
    if (plain(node) && (node.op === "Softmax" || node.op === "LogSoftmax")) {
      if (!overAllScores(node, dimsOf(node.inputs[0]!), opset)) break;
      if (node.op === "LogSoftmax") return { graph, scores, kind: "log-probabilities", cut };
      return { graph: bypass(graph, node), scores, kind: "logits", cut: [...cut, "Softmax"] };
    }
    if (plain(node) && node.op === "Sigmoid") {
      return { graph: bypass(graph, node), scores, kind: "sigmoid-logits", cut: [...cut, "Sigmoid"] };
    }
    if (isMl(node)) return { graph, scores, kind: kindOfMl(node, madeBy), cut };
    break;
  }
  return { graph, scores, kind: "logits", cut };
}

/** Cast to a float type: the attribute's numbers are FLOAT 1, FLOAT16 10, DOUBLE 11, BFLOAT16 16. */
const isFloatCast = (node: Node): boolean => node.op === "Cast" && [1, 10, 11, 16].includes(getInt(node, "to", 0));

function takesClasses(node: Node, dims: readonly Dim[] | null): boolean {
  if (getInt(node, "select_last_index", 0) !== 0) return false;
  const axis = getInt(node, "axis", 0);
  return axis === -1 || axis === 1 ? dims === null || dims.length === 2 : false;
}

function overAllScores(node: Node, dims: readonly Dim[] | null, opset: number): boolean {
  const axis = getInt(node, "axis", opset < 13 ? 1 : -1);
  if (dims === null) return axis === 1 || axis === -1;
  const at = axis < 0 ? axis + dims.length : axis;
  if (at < 1) return false;
  // Before opset 13 Softmax ran over everything from `axis` on.
  const outside = dims.filter((_, i) => i >= 1 && (opset < 13 ? i < at : i !== at));
  return outside.every((d) => d === 1);
}

/** The same graph with an Identity in place of an operator of one input. */
function bypass(graph: Graph, node: Node): Graph {
  const identity: Node = { ...node, op: "Identity", domain: "", inputs: [node.inputs[0]!], attributes: {} };
  return { ...graph, nodes: graph.nodes.map((n) => (n === node ? identity : n)) };
}

function kindOfMl(node: Node, madeBy: ReadonlyMap<string, Node>): ScoreKind {
  if (node.op === "Normalizer") {
    const before = madeBy.get(node.inputs[0] ?? "");
    return getString(node, "norm", "MAX") === "L1" && before !== undefined && isMl(before) ? "probabilities" : "logits";
  }
  const post = getString(node, "post_transform", "NONE");
  return post === "SOFTMAX" || post === "LOGISTIC" || post === "SOFTMAX_ZERO" ? "probabilities" : "logits";
}
