import { excerpt, MarauderError } from "../errors.ts";
import { grad } from "../grad/index.ts";
import { inferTypes, raiseOpset, type Dim, type Graph, type Model, type Node } from "../ir/index.ts";
import { namesRead, prune, sigmoidToTwo, stripOutput, symbolicBatch, tapFeatures } from "../rewrite/index.ts";
import type { Trainable } from "./architectures.ts";

export interface TrainableOptions {
  /** The output that holds the scores; default: the first one of floats. */
  readonly output?: string;
  /**
   * BatchNormalization always keeps its mean and variance. "frozen" (the default) keeps its scale and bias too; "affine"
   * trains them.
   */
  readonly batchNorm?: "frozen" | "affine";
}

/** Where a constant is a weight, by operator: positions of inputs. */
const weightInputs: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  Einsum: [0, 1, 2],
  LSTM: [1, 2, 3, 7],
  GRU: [1, 2, 3],
  RNN: [1, 2, 3],
  Gather: [0],
  PRelu: [1],
  LayerNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  GroupNormalization: [1, 2],
};
/** Scales and shifts, once something was learned in front of them; before, they are normalization of the inputs. */
const elementwise: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div"]);
/** Operators through which a weight stays a weight. */
const views: ReadonlySet<string> = new Set(["Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten"]);

const plain = (node: Node): boolean => node.domain === "" || node.domain === "ai.onnx";

/**
 * Makes any ONNX classifier trainable: its float32 constants that stand where weights stand become parameters, a constant
 * that is used twice (tied weights) once. Shapes, indices, scalars, the normalization of the inputs and Dropout (inert)
 * stay as they are. The graph is raised to opset 18, a fixed batch axis opened and a final Softmax or Sigmoid cut, for
 * training alone: what is exported is the file as it was, with new weights.
 *
 * Throws MODEL_UNSUPPORTED (no weights, a batch axis that cannot be opened, an operator without a gradient, scores that
 * are no logits) and MODEL_INPUT (several inputs, no such output).
 */
export function trainableOf(model: Model, options: TrainableOptions = {}): Trainable {
  const raised = inferTypes(raiseOpset(model));
  const inputs = raised.graph.inputs.filter((i) => !raised.graph.constants.has(i.name));
  const [input] = inputs;
  if (input === undefined || inputs.length > 1) {
    const names = inputs.map((i) => JSON.stringify(excerpt(i.name))).join(", ");
    throw new MarauderError("MODEL_INPUT", `training needs a model with one input; this one has ${names || "none"}`);
  }
  const dimsIn =
    (graph: Graph) =>
    (name: string): readonly Dim[] | null =>
      graph.constants.get(name)?.dims ?? graph.values.get(name)?.dims ?? null;
  const outputs = raised.graph.outputs.map((o) => o.name);
  const output = options.output ?? raised.graph.outputs.find((o) => o.dtype === "float32")?.name ?? outputs[0]!;
  if (!outputs.includes(output)) {
    throw new MarauderError(
      "MODEL_INPUT",
      `the model has no output ${JSON.stringify(excerpt(output))}; expected one of ${excerpt(outputs.join(", "))}`,
    );
  }
  const open = symbolicBatch({ ...raised.graph, inputs }, input.name, dimsIn(raised.graph));
  if (open.refused !== null) {
    throw new MarauderError(
      "MODEL_UNSUPPORTED",
      `cannot train the model: its batch axis is fixed at ${open.fixedAt}, and ${open.refused}; ` +
        "export it with a dynamic batch axis",
    );
  }
  const opened = inferTypes({ ...raised, graph: open.graph }).graph;
  const stripped = stripOutput(opened, output, dimsIn(opened));
  if (stripped.kind === "probabilities") {
    throw new MarauderError(
      "MODEL_UNSUPPORTED",
      `cannot train the model: the scores of its output ${JSON.stringify(excerpt(output))} are made by a classifier ` +
        "operator of the domain ai.onnx.ml; expected a neural network",
    );
  }
  let graph = stripped.graph;
  let logits = stripped.scores;
  if (
    stripped.kind === "sigmoid-logits" &&
    dimsIn(opened)(logits)
      ?.slice(1)
      .every((d) => d === 1)
  ) {
    const two = sigmoidToTwo(graph, logits);
    [graph, logits] = [two.graph, two.scores];
  }
  const whole = inferTypes({ ...raised, graph: prune({ ...graph, name: "given" }, [logits]) });
  const parameters = weightsOf(whole.graph, input.name, options.batchNorm ?? "frozen");
  if (parameters.length === 0) {
    throw new MarauderError(
      "MODEL_UNSUPPORTED",
      "cannot train the model: no float32 constant stands where weights stand; expected a neural network in float32",
    );
  }
  const taken = [...namesOf(whole.graph)].find((name) => name.startsWith("train."));
  if (taken !== undefined) {
    throw new MarauderError("MODEL_UNSUPPORTED", `cannot train the model: rename its value ${excerpt(taken)}`);
  }
  try {
    grad(whole, { of: logits, wrt: parameters });
  } catch (error) {
    if (!(error instanceof MarauderError) || error.code !== "GRAD_NO_RULE") throw error;
    const { op, node } = error.details;
    throw new MarauderError(
      "MODEL_UNSUPPORTED",
      `cannot train the model: operator ${op} (node ${JSON.stringify(node)}) has no gradient and lies between weights ` +
        "and scores; replace it",
      { details: { ...error.details }, cause: error },
    );
  }
  return {
    model: whole,
    parameters,
    frozen: [],
    features: featuresOf(whole.graph, input.name, logits),
    exported: model,
  };
}

/** The constants that training changes, in the order of the file. */
function weightsOf(graph: Graph, input: string, batchNorm: "frozen" | "affine"): string[] {
  const origin = new Map<string, string>(); // value -> constant that it is a view of
  for (const [name, value] of graph.constants) if (value.dtype === "float32") origin.set(name, name);
  const found = new Set<string>();
  const learned = new Set<string>(); // values that depend on the input and on a weight
  const depends = new Set([input]);
  const note = (name: string | undefined): boolean => {
    const constant = origin.get(name ?? "");
    if (constant !== undefined) found.add(constant);
    return constant !== undefined;
  };
  for (const node of graph.nodes) {
    const first = origin.get(node.inputs[0] ?? "");
    if (plain(node) && views.has(node.op) && first !== undefined) {
      origin.set(node.outputs[0]!, first);
      continue;
    }
    const reads = namesRead(node);
    if (!reads.some((name) => depends.has(name))) continue;
    let weighty = reads.some((name) => learned.has(name));
    if (plain(node)) {
      const positions = node.op === "BatchNormalization" && batchNorm === "affine" ? [1, 2] : weightInputs[node.op];
      for (const i of positions ?? []) if (note(node.inputs[i])) weighty = true;
      if (elementwise.has(node.op) && weighty) {
        for (const name of node.inputs) if (sizeAbove(graph, origin.get(name))) note(name);
      }
      if (node.op === "BatchNormalization") weighty = true;
    }
    for (const name of node.outputs) {
      depends.add(name);
      if (weighty) learned.add(name);
    }
  }
  return [...graph.constants.keys()].filter((name) => found.has(name));
}

/** A constant with axes: a scalar in an Add or Mul is part of a formula, not something learned. */
const sizeAbove = (graph: Graph, constant: string | undefined): boolean =>
  constant !== undefined && graph.constants.get(constant)!.dims.length > 0;

function* namesOf(graph: Graph): Generator<string> {
  yield* graph.constants.keys();
  for (const node of graph.nodes) yield* node.outputs;
}

/** What feeds the last linear layer; where there is none, the logits. */
function featuresOf(graph: Graph, input: string, scores: string): string {
  try {
    return tapFeatures(graph, { input, scores }).source;
  } catch (error) {
    if (error instanceof MarauderError && error.code === "MODEL_UNSUPPORTED") return scores;
    throw error;
  }
}
