import { MarauderError } from "../errors.ts";
import { grad } from "../grad/index.ts";
import { GraphBuilder, int, raiseOpset } from "../ir/index.ts";
import type { Graph, Model } from "../ir/index.ts";
import { attachLoss } from "../rewrite/attach-loss.ts";
import type { LossKind } from "../rewrite/attach-loss.ts";
import { channelBlocks } from "../rewrite/forms/channel-blocks.ts";
import { findGelu } from "../rewrite/forms/find-gelu.ts";
import { findNormalization } from "../rewrite/forms/find-normalization.ts";
import { geluByErf } from "../rewrite/forms/gelu-by-erf.ts";
import { gatherHeads, narrowSums } from "../rewrite/forms/heads.ts";
import { mergeReshapes } from "../rewrite/forms/merge-reshapes.ts";
import { needlessExpands } from "../rewrite/forms/needless-expands.ts";
import { normalizeToLinear, withMoments, withoutMeans } from "../rewrite/forms/normalize-to-linear.ts";
import { poolBeforeRelu } from "../rewrite/forms/pool-before-relu.ts";
import { prune } from "../rewrite/prune.ts";
import { shareWeights } from "../rewrite/forms/share-weights.ts";
import { winograd } from "../rewrite/forms/winograd.ts";
import { shapesOf } from "./shapes.ts";

export interface GradientModel {
  readonly model: Model;
  readonly loss: string;
  readonly scores: string;
  readonly gradient: string;
  readonly labels: string | null;
  readonly targets: string | null;
}

/**
 * One graph that gives loss [n], scores [n, classes] and the gradient of the summed loss with respect to the input.
 * `model` has a float32 `input` and a value `scores` with `classes` numbers for each example, in any shape and float
 * type; `probabilities` are turned into logarithms first. Throws GRAD_NO_RULE and MODEL_UNSUPPORTED.
 */
export function gradientModel(
  model: Model,
  request: {
    readonly input: string;
    readonly scores: string;
    readonly classes: number;
    readonly probabilities: boolean;
    readonly loss: LossKind;
    readonly targeted: boolean;
    /** Leaves out the forms that cost less: for the question whether there is a gradient at all. */
    readonly plain?: boolean;
  },
): GradientModel {
  const raised = request.plain === true ? raiseOpset(model) : faster(raiseOpset(model));
  const b = new GraphBuilder(raised.graph);
  const single = b.op("Cast", [request.scores], { to: int(1) });
  // A needless Reshape would give the number of rows a name of its own: ONNX Runtime then takes seconds to plan the memory
  // of thousands of nodes, since it finds no two values of one shape.
  const dims = shapesOf(raised)(request.scores);
  const even = dims?.length === 2 && dims[1] === request.classes;
  let rows = even ? single : b.reshape(single, [-1, request.classes]);
  if (request.probabilities) rows = b.op("Log", [b.op("Max", [rows, b.scalar(1e-30)])]);
  const attached = attachLoss(b.build(), {
    scores: rows,
    classes: request.classes,
    kind: request.loss,
    targeted: request.targeted,
  });
  const { names } = attached;
  const { model: whole, gradients } = inTheModelsWords(request.scores, () =>
    grad(
      { ...raised, graph: attached.graph },
      names.slope === null
        ? { of: names.total, wrt: [request.input] }
        : { of: names.scores, wrt: [request.input], seeds: new Map([[names.scores, names.slope]]) },
    ),
  );
  const gradient = gradients.get(request.input)!;
  return {
    model: { ...whole, graph: prune(fewerPasses(whole), [names.loss, names.scores, gradient]) },
    loss: names.loss,
    scores: names.scores,
    gradient,
    labels: names.labels,
    targets: names.targets,
  };
}

/** Without weight gradients minimal filtering pays from some more channels on: 64 to 64 not, 128 to 128 by a quarter. */
const LEAST_CHANNELS = 40;

/** The same function in forms whose gradient costs less; each is measured in bench/results/gradient-forms.md. */
function faster(model: Model): Model {
  const graph = findGelu(poolBeforeRelu(model.graph));
  const dimsOf = shapesOf({ ...model, graph });
  const moments = withMoments(normalizeToLinear(findNormalization(graph, dimsOf), dimsOf));
  return { ...model, graph: winograd(moments, dimsOf, LEAST_CHANNELS) };
}

/** The graph of a gradient with the passes taken out that its two halves can share or do without. */
function fewerPasses(model: Model): Graph {
  const graph = shareWeights(model.graph);
  let known: ReturnType<typeof shapesOf> | null = null; // looked for where a form asks
  const dimsOf: ReturnType<typeof shapesOf> = (name) => (known ??= shapesOf({ ...model, graph }))(name);
  const sums = narrowSums(withoutMeans(needlessExpands(graph, dimsOf), dimsOf), dimsOf);
  return geluByErf(mergeReshapes(gatherHeads(sums, dimsOf)));
}

/** Most bytes of constants that more than one session may hold. */
export const MOST_TWICE = 16 * 2 ** 20;

/**
 * The same graph for exactly `rows` examples in a form that needs to know its sizes, blocks of `block` channels; null where
 * that gains nothing, or where two sessions would hold too much.
 */
export function gradientModelFor(made: GradientModel, rows: number, block: number): Model | null {
  const { graph } = made.model;
  let constants = 0;
  for (const { data } of graph.constants.values()) constants += ArrayBuffer.isView(data) ? data.byteLength : 0;
  if (constants > MOST_TWICE) return null;
  const inputs = graph.inputs.map((v) => ({ ...v, dims: v.dims && [rows, ...v.dims.slice(1)] }));
  const outputs = graph.outputs.map((v) => ({ ...v, dims: null }));
  const fixed = { ...made.model, graph: { ...graph, inputs, outputs, values: new Map() } };
  const blocked = channelBlocks(fixed.graph, shapesOf(fixed), block);
  return blocked === fixed.graph ? null : { ...fixed, graph: blocked };
}

/** A refusal names the path through the model; what the loss adds behind the scores is none of the reader's business. */
function inTheModelsWords<T>(scores: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const path = error instanceof MarauderError ? error.details["path"] : undefined;
    if (!(error instanceof MarauderError) || !Array.isArray(path)) throw error;
    const end = path.indexOf(scores);
    if (end < 0) throw error;
    const own = path.slice(0, end + 1);
    throw new MarauderError(
      error.code,
      error.message.replace(path.join(" -> "), () => own.join(" -> ")),
      {
        details: { ...error.details, path: own },
        cause: error,
      },
    );
  }
}
