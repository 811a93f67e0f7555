import { MarauderError } from "../errors.ts";
import { getInt } from "../ir/index.ts";
import type { Model, Node } from "../ir/index.ts";
import { shapesOf } from "./shapes.ts";

/** Operators whose form is the same from the given opset to 18. */
const since: Readonly<Record<string, number>> = {
  ...Object.fromEntries(["Add", "Sub", "Mul", "Div", "Gemm", "PRelu", "Pow"].map((op) => [op, 7])),
  ...Object.fromEntries(
    ["Abs", "Exp", "LeakyRelu", "Log", "Neg", "Relu", "Selu", "Sigmoid", "Sqrt", "Tanh"].map((op) => [op, 6]),
  ),
  ...Object.fromEntries(
    ["MatMul", "Transpose", "Identity", "Conv", "GlobalAveragePool", "MaxPool"].map((op) => [op, 1]),
  ),
  ...Object.fromEntries(["Reshape", "Shape", "Gather", "Constant", "Softplus", "Softsign"].map((op) => [op, 1])),
  ...Object.fromEntries(["Flatten", "AveragePool", "Sum", "Cast", "Concat"].map((op) => [op, 7])),
  BatchNormalization: 9,
};

/**
 * A model whose operators have the same form in opset 18, with opset 18. Throws MODEL_UNSUPPORTED for the others.
 */
export function relabelOpset(model: Model): Model {
  const own = model.opsets[""] ?? 1;
  if (own >= 18) return model;
  const dimsOf = shapesOf(model);
  for (const node of model.graph.nodes) {
    if (node.domain !== "" && node.domain !== "ai.onnx") continue;
    if (!keepsForm(node, own, dimsOf(node.inputs[0] ?? "")?.length ?? null)) {
      throw new MarauderError(
        "MODEL_UNSUPPORTED",
        `the operator ${node.op} of opset ${own} has another form in opset 18; convert the model to opset 18`,
      );
    }
  }
  return { ...model, irVersion: Math.max(model.irVersion, 8), opsets: { ...model.opsets, "": 18 } };
}

function keepsForm(node: Node, own: number, rank: number | null): boolean {
  if (node.op === "LogSoftmax" || node.op === "Softmax")
    return own >= 13 || (rank === 2 && getInt(node, "axis", 1) !== 0);
  if (node.op === "Reshape" && node.inputs.length < 2) return false;
  if (node.op === "BatchNormalization" && node.outputs.length > 1) return false;
  return own >= (since[node.op] ?? 18);
}
