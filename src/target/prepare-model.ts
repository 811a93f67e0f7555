import { MarauderError } from "../errors.ts";
import { getInts, getString, NEWEST_OPSET } from "../ir/index.ts";
import type { Dim, Graph, Model } from "../ir/index.ts";
import { foldNormalization } from "../rewrite/fold-normalization.ts";
import { lowerLinear } from "../rewrite/lower-linear.ts";
import { prune } from "../rewrite/prune.ts";
import { stripOutput } from "../rewrite/strip-output.ts";
import type { ScoreKind } from "../rewrite/strip-output.ts";
import { symbolicBatch } from "../rewrite/symbolic-batch.ts";
import { producers } from "../rewrite/uses.ts";
import { hasFloat16, widenFloat16 } from "../rewrite/widen-float16.ts";
import { chooseInput, chooseOutput, describeDims, requiredInputs } from "./choose-io.ts";
import { shapesOf } from "./shapes.ts";

export interface PrepareOptions {
  readonly input?: string;
  readonly output?: string;
  /** Shape of one example, where the file leaves it open. */
  readonly inputShape?: readonly number[];
  readonly mean?: readonly number[];
  readonly sd?: readonly number[];
}

/** How many examples a run takes: any number, a fixed one, or one without a batch axis. */
export type BatchForm =
  | { readonly form: "any" }
  | { readonly form: "fixed"; readonly size: number }
  | { readonly form: "none" };

export interface PreparedModel {
  /** Raw float32 input to scores: output stripped, normalization folded in, batch axis open where that was possible. */
  readonly model: Model;
  /** The same with the batch axis as in the file; the same object where nothing was opened. */
  readonly unopened: Model;
  /** The model's own output (without ZipMap), with the same input: what the others are compared with. */
  readonly reference: Model;
  readonly input: string;
  readonly scores: string;
  readonly inputShape: readonly number[];
  readonly batch: BatchForm;
  readonly fileBatch: BatchForm;
  readonly kind: ScoreKind;
  /** Operators cut from the end, outermost first. */
  readonly cut: readonly string[];
  readonly classNames: readonly string[] | null;
  readonly facts: ModelFacts;
}

/** What was chosen and assumed, for `inspect` and for reports. */
export interface ModelFacts {
  readonly fileInput: string;
  readonly fileOutput: string;
  readonly inputDtype: string;
  readonly widened: boolean;
  readonly normalized: boolean;
  readonly channelAxis: number | null;
  /** Why the batch axis stays as the file fixes it; null where it is open. */
  readonly batchRefused: string | null;
  readonly reshapesOpened: number;
}

/** Turns a model file into the form that attacks need. Pure; throws MODEL_INPUT, OPTION_RANGE, MODEL_UNSUPPORTED. */
export function prepareModel(file: Model, options: PrepareOptions = {}): PreparedModel {
  const opset = file.opsets[""] ?? 0;
  if (opset > NEWEST_OPSET) {
    throw new MarauderError(
      "MODEL_UNSUPPORTED",
      `the model speaks ONNX opset ${opset}; expected at most ${NEWEST_OPSET}, which is what ONNX Runtime runs; export or convert it with such an opset`,
      { details: { opset } },
    );
  }
  let model = withBasicOperators(withoutDefaults(file));
  const widened = hasFloat16(model.graph);
  if (widened) model = { ...model, graph: widenFloat16(model.graph) };

  const fileOutput = chooseOutput(model.graph, options.output);
  const pruned = prune(model.graph, [fileOutput], { dropInputs: true });
  const basic = (model.opsets[""] ?? 1) >= BROADCASTING;
  const needed = basic ? lowerLinear(pruned, shapesOf({ ...model, graph: pruned })) : pruned;
  const dimsOf = shapesOf({ ...model, graph: needed });
  const stripped = stripOutput(needed, fileOutput, dimsOf, model.opsets[""] ?? 1);
  const classNames = findClassNames(model.graph, fileOutput);
  const scoresOnly = prune(stripped.graph, [stripped.scores], { dropInputs: true });
  // Without ZipMap, whose sequences of maps do not cross into JavaScript.
  const ownOutput = stripped.cut.includes("ZipMap") ? stripped.scores : fileOutput;
  const referenceGraph = prune(model.graph, [ownOutput], { dropInputs: true });

  const info = chooseInput(scoresOnly, options.input);
  const { inputShape, fileBatch, dims } = exampleShape(info.name, info.dims, options.inputShape);
  const shaped = (graph: Graph): Graph => ({
    ...graph,
    inputs: graph.inputs.map((i) => (i.name === info.name ? { ...i, dims } : i)),
  });
  const normalization =
    options.mean === undefined && options.sd === undefined
      ? null
      : { mean: options.mean ?? [0], sd: options.sd ?? [1] };
  const fold = (graph: Graph) => foldNormalization(shaped(graph), info.name, normalization);

  const folded = fold(scoresOnly);
  const unopened = { ...model, graph: folded.graph };
  const opened = fileBatch.form === "fixed" ? symbolicBatch(folded.graph, folded.input, shapesOf(unopened)) : null;
  const isOpen = opened !== null && opened.refused === null;
  return {
    model: isOpen ? { ...model, graph: opened.graph } : unopened,
    unopened,
    reference: { ...model, graph: fold(referenceGraph).graph },
    input: folded.input,
    scores: stripped.scores,
    inputShape,
    batch: isOpen ? { form: "any" } : fileBatch,
    fileBatch,
    kind: stripped.kind,
    cut: stripped.cut,
    classNames,
    facts: {
      fileInput: info.name,
      fileOutput,
      inputDtype: file.graph.inputs.find((i) => i.name === info.name)?.dtype ?? "unknown",
      widened,
      normalized: normalization !== null,
      channelAxis: folded.channelAxis,
      batchRefused: opened?.refused ?? null,
      reshapesOpened: opened?.changed.length ?? 0,
    },
  };
}

/** Since this opset Add, Sub, Mul, Div and Gemm have the form that the rewrites write. */
const BROADCASTING = 7;

/**
 * Pipelines of ai.onnx.ml often declare a default opset of 1 although they use nothing of it. Such a model may as well
 * declare a later one, in which rewrites can be written.
 */
export function withBasicOperators(model: Model): Model {
  if ((model.opsets[""] ?? 1) >= BROADCASTING) return model;
  const plain = (node: Graph["nodes"][number]): boolean =>
    (node.domain !== "" && node.domain !== "ai.onnx") ||
    node.op === "Identity" ||
    (node.op === "Cast" && node.attributes["to"]?.type === "int");
  if (!model.graph.nodes.every(plain)) return model;
  return { ...model, irVersion: Math.max(model.irVersion, 4), opsets: { ...model.opsets, "": 9 } };
}

/** Inputs that repeat a constant are defaults (all constants are, before IR version 4); they become plain constants. */
function withoutDefaults(model: Model): Model {
  const inputs = requiredInputs(model.graph);
  if (inputs.length === model.graph.inputs.length) return model;
  return { ...model, irVersion: Math.max(model.irVersion, 4), graph: { ...model.graph, inputs } };
}

function exampleShape(
  name: string,
  dims: readonly Dim[] | null,
  given: readonly number[] | undefined,
): { inputShape: readonly number[]; fileBatch: BatchForm; dims: readonly Dim[] } {
  if (given !== undefined && (given.length === 0 || !given.every((d) => Number.isInteger(d) && d > 0))) {
    throw new MarauderError(
      "OPTION_RANGE",
      `the shape of one example must be positive whole numbers, got [${given.join(", ")}]`,
    );
  }
  const misfit = (why: string): never => {
    throw new MarauderError(
      "MODEL_INPUT",
      `the input ${name} has shape ${describeDims(dims)}: ${why}; give the shape of one example, as in --shape 3,224,224`,
    );
  };
  if (dims === null) {
    if (given === undefined) return misfit("its rank is not known");
    return { inputShape: given, fileBatch: { form: "any" }, dims: ["batch", ...given] };
  }
  const fits = (own: readonly Dim[], shape: readonly number[]): boolean =>
    own.length === shape.length && own.every((d, i) => typeof d !== "number" || d === shape[i]);
  if (dims.length === 0) return misfit("a scalar is no example");
  if (dims.length === 1 || (given !== undefined && given.length === dims.length)) {
    const shape = given ?? (typeof dims[0] === "number" ? [dims[0]] : misfit("the number of features is open"));
    if (!fits(dims, shape)) return misfit(`that does not fit the given shape [${shape.join(", ")}]`);
    return { inputShape: shape, fileBatch: { form: "none" }, dims: shape };
  }
  const own = dims.slice(1);
  const shape = given ?? own.map((d) => (typeof d === "number" && d > 0 ? d : misfit("some sizes are open")));
  if (!fits(own, shape)) return misfit(`that does not fit the given shape [${shape.join(", ")}]`);
  const size = dims[0];
  const fixed = typeof size === "number" && size > 0;
  return {
    inputShape: shape,
    fileBatch: fixed ? { form: "fixed", size } : { form: "any" },
    dims: [fixed ? size : "batch", ...shape],
  };
}

/** Names of the classes from ZipMap or a classifier operator, in the order of the scores. */
function findClassNames(graph: Graph, output: string): readonly string[] | null {
  const madeBy = producers(graph);
  let at = output;
  for (let step = 0; step < 16; step++) {
    const node = madeBy.get(at);
    if (node === undefined) return null;
    for (const key of ["classlabels_strings", "classlabels_int64s", "classlabels_ints"]) {
      const a = node.attributes[key];
      if (a?.type === "strings" && a.value.length > 0) return a.value.map((v) => new TextDecoder().decode(v));
      const numbers = getInts(node, key);
      if (numbers !== null && numbers.length > 0) return numbers.map(String);
    }
    if (
      node.inputs[0] === undefined ||
      (node.domain === "ai.onnx.ml" && getString(node, "norm", "") === "" && node.op !== "ZipMap")
    )
      return null;
    at = node.inputs[0];
  }
  return null;
}
