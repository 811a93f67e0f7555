import { excerpt, MarauderError } from "../../errors.ts";
import { grad } from "../../grad/index.ts";
import {
  GraphBuilder,
  getInts,
  inferTypes,
  int,
  ints,
  raiseOpset,
  tensorInfo,
  type Dim,
  type Graph,
  type Model,
  type Node,
} from "../../ir/index.ts";
import { decompose } from "../../rewrite/index.ts";
import { float32, sizeOf } from "../../tensor/index.ts";
import { batchAxes, knownOf, unopened } from "./batch-axis.ts";
import { joined, joins, useOf, type Site, type Use } from "./per-example-uses.ts";
import type { Layout } from "../parameters.ts";
import { fewerProducts, balanced } from "../step.ts";

/** A parameter seen through operators that only move its entries: how a gradient of the view becomes one of it. */
interface View {
  readonly slot: string;
  readonly dims: readonly number[];
  /** Axes permutations and shapes on the way from the parameter to the view. */
  readonly path: readonly Step[];
}

/** Weights that were brought to mean 0 and deviation 1 along axes (weight standardization: Qiao et al. 2019). */
interface Standardized {
  readonly raw: string;
  readonly unit: string;
  readonly axes: readonly number[];
}
type Step =
  | { readonly perm: readonly number[] }
  | { readonly from: readonly number[] }
  | { readonly standardized: Standardized };

/** Where parameters stand in a graph of which every use can be bounded, and what has to be differentiated for it. */
interface Opened {
  readonly model: Model;
  readonly sites: readonly (Site & { readonly view: View })[];
}

/** Names of what a graph of per-example gradients gives. */
export interface PerExample {
  readonly b: GraphBuilder;
  readonly model: Model;
  /** Squared norm of each example's gradient over all parameters, shape [N]. */
  readonly squaredNorms: string;
  /** Appends the sum over examples of c_n times their gradients, one value in its shape for each slot; c is [N]. */
  weightedSum(c: string): string[];
}

/**
 * Per-example gradients by book-keeping: one backward pass to the outputs of the operators that hold parameters; from
 * these and the operators' inputs come the norms (Goodfellow 2015; Rochette et al. 2019; Bu et al. 2022, mixed ghost
 * clipping) and, without a second backward pass, the weighted sum (Bu et al. 2023, book-keeping). A parameter used more
 * than once is added up before its norm. The graph must hold the value `rows`, one loss for each example; `inputs`
 * are its inputs that hold examples, `layout` names the values that are parameters.
 *
 * With `copies`, so many rows after one another are one example (augmented views of it): its gradient is their mean.
 *
 * Throws MODEL_UNSUPPORTED, naming the node, where an operator mixes examples or a parameter stands where it cannot be
 * bounded, and GRAD_NO_RULE.
 */
export function perExample(
  model: Model,
  rows: string,
  inputs: readonly string[],
  layout: Layout,
  copies = 1,
): PerExample {
  const raised = inferTypes(raiseOpset(model));
  // Normalizations, attention and the like in simpler operators; the standardization of a weight stays whole: `moved`
  // knows it.
  const weights = new Set(layout.slots.map(({ name }) => name));
  const stays = ({ op, inputs: [x] }: Node): boolean =>
    unopened.test(op) || (op === "MeanVarianceNormalization" && weights.has(x!));
  const simple = decompose(raised, { only: (node) => !stays(node) });
  const opened = openUses(inferTypes(simple.model), inputs, layout);
  const wrt = opened.sites.map((site) => site.at);
  const made = grad(fewerProducts(opened.model), { of: rows, wrt });
  const typed = inferTypes({ ...made.model, graph: balanced(made.model, rows) });
  const b = new GraphBuilder(typed.graph);
  b.clearOutputs();
  const known = knownOf(typed.graph);
  const repeated = opened.sites.filter((site) => site.kind === "each").map((site) => site.at);
  const axes = batchAxes(opened.model.graph, [...inputs, ...repeated], knownOf(opened.model.graph));
  const uses = new Map<string, { use: Use; view: View }[]>();
  const done = new Set<Site>();
  for (const site of opened.sites) {
    if (axes.get(site.at) !== 0) throw cannot(site.node, "has its examples on another axis than the first");
    if (done.has(site)) continue;
    const dyOf = (of: Site): string => made.gradients.get(of.at)!;
    const same = joins(site, known) ? opened.sites.filter((o) => joins(o, known) && sameView(o.view, site.view)) : [];
    same.forEach((other) => done.add(other));
    const use =
      same.length > 1
        ? joined(
            b,
            same.map((other) => ({ site: other, dy: dyOf(other) })),
            known,
          )
        : useOf(b, site, dyOf(site), known);
    if (typeof use === "string") throw cannot(site.node, use);
    uses.set(site.view.slot, [...(uses.get(site.view.slot) ?? []), { use, view: site.view }]);
  }
  const norms: string[] = [];
  const sums = new Map<string, (c: string) => string>();
  for (const { name, dims, size } of layout.slots) {
    const own = uses.get(name) ?? [];
    const flatEach = ({ use, view }: { use: Use; view: View }): string =>
      b.reshape(back(b, use.each(), view, true), [0, size]);
    const [only] = own;
    // The norm of a gradient of standardized weights is not that of the weights.
    const plain = only?.view.path.every((step) => !("standardized" in step)) === true;
    if (copies === 1 && own.length === 1 && plain && only!.use.ghost !== null) {
      norms.push(only!.use.ghost());
      sums.set(name, (c) => back(b, only!.use.sum(c), only!.view, false));
    } else if (own.length > 0) {
      const apart = own.map(flatEach).reduce((x, y) => b.add(x, y));
      const mean = { keepdims: int(0) };
      const each =
        copies === 1
          ? apart
          : b.op("ReduceMean", [b.reshape(apart, [-1, copies, size]), b.indices([1])], mean, "train.views");
      norms.push(b.op("ReduceSumSquare", [each, b.indices([1])], { keepdims: int(0) }));
      sums.set(name, (c) => b.reshape(b.matmul(b.unsqueeze(c, [0]), each), dims));
    }
  }
  return {
    b,
    model: typed,
    squaredNorms: norms.reduce((x, y) => b.add(x, y)),
    weightedSum: (c) =>
      layout.slots.map(({ name, dims }) => sums.get(name)?.(c) ?? b.constant(float32(dims), "train.none")),
  };
}

const sameView = (a: View, c: View): boolean => a.slot === c.slot && JSON.stringify(a.path) === JSON.stringify(c.path);

const cannot = (node: Node, why: string): MarauderError =>
  new MarauderError(
    "MODEL_UNSUPPORTED",
    `examples cannot be bounded one by one: ${node.op} (node ${JSON.stringify(excerpt(node.name || node.outputs[0]!))}) ${why}`,
    { details: { op: node.op, node: node.name } },
  );

const scaled: ReadonlySet<string> = new Set(["LayerNormalization", "InstanceNormalization", "BatchNormalization"]);
const spread: ReadonlySet<string> = new Set([
  "Add",
  "Sub",
  "Mul",
  "Div",
  "PRelu",
  "Pow",
  "Max",
  "Min",
  "Where",
  "Sum",
  "Mean",
]);

/**
 * Brings every use of a parameter into a form that can be bounded: weights of Gemm, MatMul, Conv and Gather stay; scale
 * and bias of normalizations become a Mul and an Add; and a parameter of a broadcasting operator is repeated for each
 * example first, so that the gradient by the repeated value holds one gradient for each example.
 */
function openUses(model: Model, inputs: readonly string[], layout: Layout): Opened {
  const { graph } = model;
  const known = knownOf(graph);
  const batch = batchAxes(graph, inputs, known);
  const input = inputs[0]!;
  const views = new Map<string, View>(layout.slots.map(({ name, dims }) => [name, { slot: name, dims, path: [] }]));
  const b = GraphBuilder.rewriting(graph);
  const added = new Map<string, readonly Dim[]>();
  const sites: (Site & { view: View })[] = [];
  const examples = known.dims(input)?.[0] ?? null;

  /** The parameter repeated for each example, at the rank of the operator's output. */
  const repeated = (view: View, name: string, node: Node, rank: number): string => {
    const { dims } = view;
    if (dims.length > rank || (dims.length === rank && dims[0] !== 1)) {
      throw cannot(node, "has a parameter that treats examples by their place in the batch");
    }
    const wide = [...Array.from({ length: rank - dims.length }, () => 1), ...dims];
    const count = b.op("Slice", [b.shapeOf(input), b.indices([0]), b.indices([1])]);
    const ones = b.indices(wide.slice(1).map(() => 1));
    const shape = wide.length === 1 ? count : b.op("Concat", [count, ones], { axis: int(0) });
    const out = b.op("Expand", [b.reshape(name, wide), shape], {}, "train.each");
    added.set(out, [examples, ...wide.slice(1)]);
    sites.push({ kind: "each", node, at: out, view, dims, skip: rank - dims.length });
    return out;
  };
  const put = (node: Node): void => {
    if (node.inputs.some((name) => views.has(name)) && !batch.has(node.outputs[0] ?? "")) {
      const view = views.get(node.inputs[0]!);
      const next = view === undefined ? null : moved(view, node, known.dims(node.outputs[0]!));
      if (next === null) throw cannot(node, "changes a parameter before it is used");
      views.set(node.outputs[0]!, next);
      b.append(node);
      return;
    }
    const inputs = [...node.inputs];
    const at = node.outputs[0]!;
    let after: (() => void) | null = null;
    for (const [i, name] of node.inputs.entries()) {
      const view = views.get(name);
      if (view === undefined) continue;
      const site = { node, at, view, dims: view.dims };
      const rank = known.dims(at)?.length;
      if (rank === undefined) throw cannot(node, "has an output of unknown rank");
      if (node.op === "Gemm" && i === 1) sites.push({ ...site, kind: "linear" });
      else if (node.op === "Gemm" && i === 2) sites.push({ ...site, kind: "gemm-bias" });
      else if (node.op === "MatMul" && i === 1 && view.dims.length === 2) sites.push({ ...site, kind: "linear" });
      else if (node.op === "Conv" && i === 1) sites.push({ ...site, kind: "conv" });
      else if (node.op === "Conv" && i === 2) sites.push({ ...site, kind: "channel-bias" });
      else if (node.op === "Gather" && i === 0) sites.push({ ...site, kind: "gather" });
      else if (scaled.has(node.op) && (i === 1 || i === 2)) {
        // An identity in its place, and the parameter behind the node, where it broadcasts.
        inputs[i] = b.constant(
          float32(view.dims, new Float32Array(sizeOf(view.dims)).fill(i === 1 ? 1 : 0)),
          "train.plain",
        );
        after = behind(after, i, name, view);
      } else if (spread.has(node.op)) inputs[i] = repeated(view, name, node, rank);
      else throw cannot(node, `has a parameter as input ${i}, where it cannot be bounded`);
    }
    if (after === null) b.append({ ...node, inputs });
    else {
      const plain = b.fresh("train.plain");
      b.append({ ...node, inputs, outputs: [plain, ...node.outputs.slice(1)] });
      added.set(plain, known.dims(at)!);
      finish(node, plain);
    }
    function behind(before: (() => void) | null, i: number, name: string, view: View): () => void {
      pending.push({ op: i === 1 ? "Mul" : "Add", name, view });
      return before ?? ((): void => undefined);
    }
  };
  const pending: { op: string; name: string; view: View }[] = [];
  /** Appends what was taken out of a normalization, up to its own output. */
  function finish(node: Node, plain: string): void {
    const dims = known.dims(node.outputs[0]!)!;
    const channels = node.op !== "LayerNormalization";
    let value = plain;
    const steps = pending.splice(0).toSorted((x, y) => (x.op === y.op ? 0 : x.op === "Mul" ? -1 : 1));
    steps.forEach(({ op, name, view }, k) => {
      const shape = channels ? [...view.dims, ...dims.slice(2).map(() => 1)] : view.dims;
      const reshaped: View = { ...view, dims: shape, path: [...view.path, { from: view.dims }] };
      const each = repeated(reshaped, channels ? b.reshape(name, shape) : name, node, dims.length);
      const last = k === steps.length - 1;
      const out = last ? node.outputs[0]! : b.fresh("train.scaled");
      b.append({
        op,
        domain: "",
        name: b.fresh("train.affine"),
        inputs: [value, each],
        outputs: [out],
        attributes: {},
      });
      if (!last) added.set(out, dims);
      value = out;
    });
  }
  for (const node of graph.nodes) put(node);
  const values = new Map(graph.values);
  for (const [name, dims] of added) values.set(name, tensorInfo(name, "float32", dims));
  return { model: { ...model, graph: { ...(b.build() as Graph), values } }, sites };
}

/** The view behind an operator that only moves entries; null for any other operator. */
function moved(view: View, node: Node, dims: readonly Dim[] | null): View | null {
  if (dims === null || !dims.every((d) => typeof d === "number")) return null;
  if (node.op === "Transpose") {
    const attribute = node.attributes["perm"];
    const perm =
      attribute?.type === "ints" ? attribute.value.map(Number) : view.dims.map((_, i) => view.dims.length - 1 - i);
    return { ...view, dims: dims as number[], path: [...view.path, { perm }] };
  }
  if (node.op === "MeanVarianceNormalization") {
    const axes = getInts(node, "axes") ?? [0, 2, 3];
    const standardized = { raw: node.inputs[0]!, unit: node.outputs[0]!, axes };
    return axes.every((a) => a > 0) ? { ...view, path: [...view.path, { standardized }] } : null;
  }
  const same = ["Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"].includes(node.op);
  return same ? { ...view, dims: dims as number[], path: [...view.path, { from: view.dims }] } : null;
}

/** d raw = (d unit - mean(d unit) - unit mean(d unit unit)) / deviation of raw, means along the axes. */
function unstandardized(b: GraphBuilder, g: string, { raw, unit, axes }: Standardized, lead: boolean): string {
  const mean = (x: string, along: readonly number[]): string => b.op("ReduceMean", [x, b.indices(along)]);
  const own = lead ? axes.map((a) => a + 1) : axes;
  const off = b.sub(raw, mean(raw, axes));
  const deviation = b.add(b.op("Sqrt", [mean(b.mul(off, off), axes)]), b.scalar(1e-9));
  const moved = b.sub(b.sub(g, mean(g, own)), b.mul(unit, mean(b.mul(g, unit), own)));
  return b.div(moved, deviation);
}

/** A gradient of the view as one of the parameter; `lead` where it has the examples as a first axis. */
function back(b: GraphBuilder, gradient: string, view: View, lead: boolean): string {
  let out = gradient;
  for (const step of view.path.toReversed()) {
    if ("from" in step) out = b.reshape(out, lead ? [0, ...step.from] : step.from);
    else if ("standardized" in step) out = unstandardized(b, out, step.standardized, lead);
    else {
      const inverse = step.perm.map((_, i) => step.perm.indexOf(i));
      out = b.op("Transpose", [out], { perm: ints(lead ? [0, ...inverse.map((p) => p + 1)] : inverse) });
    }
  }
  return out;
}
