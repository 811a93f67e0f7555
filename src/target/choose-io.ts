import { excerpt, MarauderError } from "../errors.ts";
import type { Dim, Graph, ValueInfo } from "../ir/index.ts";
import { isFloat } from "../tensor/index.ts";
import { producers } from "../rewrite/uses.ts";

/** `name float32[batch, 3, 32, 32]`, for messages and listings. */
function describeValue(info: ValueInfo): string {
  const name = excerpt(info.name, 80);
  if (info.kind !== "tensor" && info.kind !== "unknown") return `${name} (${info.kind})`;
  return `${name} ${info.dtype ?? "unknown type"}${describeDims(info.dims)}`;
}

export function describeDims(dims: readonly Dim[] | null): string {
  return dims === null
    ? "[unknown rank]"
    : `[${dims.map((d) => (d === null ? "?" : excerpt(String(d), 40))).join(", ")}]`;
}

/** Inputs that a caller has to feed: those without a default among the constants. */
export const requiredInputs = (graph: Graph): ValueInfo[] => graph.inputs.filter((i) => !graph.constants.has(i.name));

/**
 * The output that holds scores: the one named, else the only output, else the only one of float numbers (a label output
 * of a classifier is passed by). Throws MODEL_INPUT with a list where that is not clear.
 */
export function chooseOutput(graph: Graph, named: string | undefined): string {
  if (named !== undefined) {
    const known = graph.outputs.some((o) => o.name === named) || producers(graph).has(named);
    if (known) return named;
    throw new MarauderError(
      "MODEL_INPUT",
      `the model has no output named ${JSON.stringify(excerpt(named, 80))}; expected one of: ${list(graph.outputs)}`,
    );
  }
  if (graph.outputs.length === 1) return graph.outputs[0]!.name;
  const madeBy = producers(graph);
  const scores = graph.outputs.filter((o) => {
    const maker = madeBy.get(o.name);
    if (maker?.op === "ZipMap") return true;
    if (maker?.domain === "ai.onnx.ml" && maker.op.endsWith("Classifier")) return maker.outputs[1] === o.name;
    return o.kind === "tensor" && o.dtype !== null && isFloat(o.dtype);
  });
  if (scores.length === 1) return scores[0]!.name;
  throw new MarauderError(
    "MODEL_INPUT",
    `the model has ${graph.outputs.length} outputs and it is not clear which one holds the scores of the classes; ` +
      `expected one of: ${list(graph.outputs)}; choose with --output NAME`,
    { details: { outputs: graph.outputs.map((o) => o.name) } },
  );
}

/**
 * The input to attack: the one named, else the only one of float numbers. The graph must need no other input.
 * Throws MODEL_INPUT with a list where that is not so.
 */
export function chooseInput(graph: Graph, named: string | undefined): ValueInfo {
  const inputs = requiredInputs(graph);
  const fail = (what: string, todo: string): never => {
    throw new MarauderError("MODEL_INPUT", `${what}; its inputs are: ${list(inputs)}; ${todo}`, {
      details: { inputs: inputs.map((i) => i.name) },
    });
  };
  const floats = inputs.filter((i) => i.kind === "tensor" && i.dtype !== null && isFloat(i.dtype));
  const found =
    named === undefined ? (floats.length === 1 ? floats[0] : undefined) : inputs.find((i) => i.name === named);
  if (found === undefined) {
    if (named !== undefined)
      return fail(`the model has no input named ${JSON.stringify(excerpt(named, 80))}`, "correct --input");
    if (floats.length === 0) {
      return fail("the model takes no tensor of float numbers", "Marauder attacks inputs of float numbers only");
    }
    return fail(
      `the model takes ${floats.length} tensors of float numbers`,
      "join them into one (columns side by side) in the model, or choose with --input NAME where the output needs only one",
    );
  }
  if (found.kind !== "tensor" || found.dtype === null || !isFloat(found.dtype)) {
    return fail(`the input ${describeValue(found)} does not hold float numbers`, "choose another with --input NAME");
  }
  const others = inputs.filter((i) => i !== found);
  if (others.length > 0) {
    return fail(
      `the scores depend on ${others.length} more input${others.length > 1 ? "s" : ""} than ${excerpt(found.name, 80)}`,
      "turn the others into constants of the model, or choose an output that does not need them with --output NAME",
    );
  }
  return found;
}

function list(values: readonly ValueInfo[]): string {
  const shown = values.slice(0, 12).map(describeValue).join(", ");
  return values.length > 12 ? `${shown} and ${values.length - 12} more` : shown || "none";
}
