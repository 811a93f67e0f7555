import { getFloats, getInt, getString, GraphBuilder, int } from "../ir/index.ts";
import type { DimsOf, Graph, Node } from "../ir/index.ts";
import { float32 } from "../tensor/index.ts";
import { producers, readers } from "./uses.ts";

/**
 * Writes the linear operators of ai.onnx.ml (LinearClassifier, LinearRegressor, Scaler, the L1 and L2 Normalizer) with
 * ordinary operators, which have gradients. Value names stay. What has no exact counterpart stays as it is: a binary
 * classifier of one row, other transforms, a classifier whose label output is read. Works for every opset from 7.
 */
export function lowerLinear(graph: Graph, dimsOf: DimsOf = () => null): Graph {
  const b = GraphBuilder.rewriting(graph);
  const madeBy = producers(graph);
  const readBy = readers(graph);
  const isOutput = new Set(graph.outputs.map((o) => o.name));
  const lowered = new Set<Node>();
  for (const node of graph.nodes) {
    const done =
      node.domain === "ai.onnx.ml" &&
      lower(b, node, madeBy, lowered, dimsOf, (name) => readBy.has(name) || isOutput.has(name));
    if (done) lowered.add(node);
    else b.append(node);
  }
  if (lowered.size === 0) return graph;
  return b.build();
}

function lower(
  b: GraphBuilder,
  node: Node,
  madeBy: ReadonlyMap<string, Node>,
  lowered: ReadonlySet<Node>,
  dimsOf: DimsOf,
  used: (name: string) => boolean,
): boolean {
  const x = node.inputs[0] ?? "";
  const finish = (op: string, inputs: string[], output: string, attributes: Node["attributes"] = {}): true => {
    b.append({ op, domain: "", name: `${output}_lowered`, inputs, outputs: [output], attributes });
    return true;
  };
  if (node.op === "Scaler") {
    const offset = getFloats(node, "offset") ?? [0];
    const scale = getFloats(node, "scale") ?? [1];
    const shift = b.sub(x, b.constant(float32([offset.length], offset)));
    return finish("Mul", [shift, b.constant(float32([scale.length], scale))], node.outputs[0]!);
  }
  if (node.op === "LinearClassifier") {
    const [label, scores] = node.outputs;
    const weights = getFloats(node, "coefficients");
    const classes = classCount(node);
    const post = getString(node, "post_transform", "NONE");
    const end = { NONE: "Identity", SOFTMAX: "Softmax", LOGISTIC: "Sigmoid" }[post];
    if (weights === null || scores === undefined || end === undefined || classes < 2) return false;
    const intercepts = getFloats(node, "intercepts") ?? Array.from({ length: classes }, () => 0);
    const width = dimsOf(x)?.at(-1);
    const features = typeof width === "number" ? width : weights.length / classes;
    if (intercepts.length !== classes || !Number.isInteger(features) || features === 0 || used(label!)) return false;
    // Of more weights than the input is wide, ONNX Runtime reads the first ones.
    const own = weights.slice(0, classes * features);
    if (own.length !== classes * features) return false;
    // One row for two classes would give an even length here; the number of intercepts tells the two apart.
    const z = b.op(
      "Gemm",
      [x, b.constant(float32([classes, features], own)), b.constant(float32([classes], intercepts))],
      {
        transB: int(1),
      },
    );
    return finish(end, [z], scores, end === "Softmax" ? { axis: int(1) } : {});
  }
  if (node.op === "LinearRegressor") {
    const weights = getFloats(node, "coefficients");
    const targets = getInt(node, "targets", 1);
    const width = (weights?.length ?? 0) / targets;
    if (weights === null || width === 0 || !Number.isInteger(width)) return false;
    if (getString(node, "post_transform", "NONE") !== "NONE") return false;
    const intercepts = getFloats(node, "intercepts") ?? Array.from({ length: targets }, () => 0);
    const parts = [x, b.constant(float32([targets, width], weights)), b.constant(float32([targets], intercepts))];
    return finish("Gemm", parts, node.outputs[0]!, { transB: int(1) });
  }
  const before = madeBy.get(x);
  const norm = node.op === "Normalizer" ? getString(node, "norm", "MAX") : "";
  if (norm === "L1" || norm === "L2") {
    if (before?.domain === "ai.onnx.ml" && !lowered.has(before)) return false;
    const plain = (): true =>
      finish("LpNormalization", [x], node.outputs[0]!, { axis: int(-1), p: int(norm === "L1" ? 1 : 2) });
    if (norm === "L2" || before?.op !== "LinearClassifier") return plain();
    const post = getString(before, "post_transform", "NONE");
    if (post === "SOFTMAX") return finish("Identity", [x], node.outputs[0]!);
    if (post !== "LOGISTIC") return plain();
    // All are positive, so their sum is their L1 norm.
    const classes = classCount(before);
    const sum = b.matmul(
      x,
      b.constant(
        float32(
          [classes, 1],
          Array.from({ length: classes }, () => 1),
        ),
      ),
    );
    return finish("Div", [x, sum], node.outputs[0]!);
  }
  return false;
}

function classCount(node: Node): number {
  for (const name of ["classlabels_ints", "classlabels_strings"]) {
    const a = node.attributes[name];
    if ((a?.type === "ints" || a?.type === "strings") && a.value.length > 0) return a.value.length;
  }
  return 0;
}
