import { MarauderError } from "../errors.ts";
import { subgraphs } from "../ir/attributes.ts";
import type { Graph, Model } from "../ir/graph.ts";
import type { Tensor } from "../tensor/index.ts";
import { inTurn } from "./engine.ts";
import type { Engine, Session } from "./engine.ts";
import { evaluateNodes, isControl } from "./reference/control.ts";
import { kernels } from "./reference/index.ts";
import { fail, fromTensor, toTensor, type Value } from "./reference/value.ts";

/** Operators keep their meaning from here on; older Softmax, Clip, Squeeze and others differ. */
const OLDEST = 13;

export interface ReferenceOptions {
  /** "declared" rounds the outputs to the model's types; "float64" hands floats out as they were computed. */
  readonly precision?: "declared" | "float64";
}

/**
 * An interpreter that computes every float in float64: slow and plain, the oracle against which gradients and ONNX
 * Runtime are checked. Knows the default ONNX domain at opset 13 and later.
 */
export function referenceEngine(options: ReferenceOptions = {}): Engine {
  const keep = options.precision === "float64";
  return {
    id: keep ? "reference-float64" : "reference",
    load: async (model) => load(model, keep),
  };
}

function load(model: Model, keepFloat64: boolean): Session {
  const { graph } = model;
  const opset = model.opsets[""] ?? model.opsets["ai.onnx"] ?? 0;
  if (opset < OLDEST) {
    throw new MarauderError(
      "ENGINE_FAILED",
      `the reference engine runs opset ${OLDEST} and later, the model has ${opset}; raise its opset first`,
    );
  }
  for (const v of [...graph.inputs, ...graph.outputs]) {
    if (v.kind !== "tensor" && v.kind !== "unknown") {
      throw new MarauderError(
        "ENGINE_FAILED",
        `the reference engine knows tensors only; ${JSON.stringify(v.name)} is a ${v.kind}`,
      );
    }
  }
  checkOperators(graph);
  const inputs = graph.inputs.map((v) => v.name);
  const outputs = graph.outputs.map((v) => v.name);
  const constants = new Map<string, Value>();
  for (const [name, t] of graph.constants) constants.set(name, fromTensor(t));
  const run: Session["run"] = async (feeds, fetches = outputs) => {
    const values = evaluate(model, constants, inputs, feeds, fetches);
    return Object.fromEntries(fetches.map((name) => [name, toTensor(values.get(name)!, keepFloat64)]));
  };
  return {
    inputs: inputs.filter((name) => !graph.constants.has(name)),
    outputs,
    lanes: 1,
    run,
    runAll: (runs) => inTurn(run, runs),
    close: async () => {},
  };
}

function checkOperators(graph: Graph): void {
  for (const node of graph.nodes) {
    const known = node.domain === "" || node.domain === "ai.onnx";
    if (!known || (kernels[node.op] === undefined && !isControl(node))) {
      fail(node, "no such operator in the reference engine");
    }
    for (const body of subgraphs(node)) checkOperators(body);
  }
}

function evaluate(
  { graph, opsets }: Model,
  constants: ReadonlyMap<string, Value>,
  inputs: readonly string[],
  feeds: Readonly<Record<string, Tensor>>,
  fetches: readonly string[],
): Map<string, Value> {
  const values = new Map(constants);
  for (const name of Object.keys(feeds)) {
    if (!inputs.includes(name)) {
      throw new MarauderError(
        "MODEL_INPUT",
        `the model has no input ${JSON.stringify(name)}; expected ${inputs.join(", ")}`,
      );
    }
    values.set(name, fromTensor(feeds[name]!));
  }
  for (const name of inputs) {
    if (!values.has(name)) throw new MarauderError("MODEL_INPUT", `input ${JSON.stringify(name)} got no value`);
  }
  evaluateNodes(graph, values, opsets[""] ?? OLDEST);
  for (const name of fetches) {
    if (!values.has(name)) throw new MarauderError("MODEL_INPUT", `the model has no value ${JSON.stringify(name)}`);
  }
  return values;
}
