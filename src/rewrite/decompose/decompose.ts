import { MarauderError } from "../../errors.ts";
import { constantValues, GraphBuilder, inferContents, subgraphs, typesOf } from "../../ir/index.ts";
import type { Model, Node } from "../../ir/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { refuse, type Site } from "./context.ts";
import { decompositions } from "./table.ts";

export interface DecomposeOptions {
  /** Which nodes of the given model to take apart (what is made of them, too); all when absent. */
  readonly only?: (node: Node) => boolean;
}

export interface Decomposed {
  readonly model: Model;
  /** The operators that were taken apart, by node. */
  readonly replaced: readonly { readonly op: string; readonly node: string }[];
  /** Nodes that have a decomposition but stayed, by their first output: the reason. */
  readonly kept: ReadonlyMap<string, string>;
}

/** Most nodes that decomposition may make of a model: loops nest, and a trip count is only a number in a file. */
const MOST_NODES = 400_000;
/** Loops within loops are unrolled one level in each pass. */
const MOST_PASSES = 16;

/**
 * Writes operators that have no gradient rule with ones that have: recurrent networks, loops and branches that are
 * known before the run, losses, normalizations, attention. Value names stay. The model must speak opset 18 or later
 * (`raiseOpset`); what cannot be taken apart stays as it is, with the reason.
 */
export function decompose(model: Model, options: DecomposeOptions = {}): Decomposed {
  const replaced: { op: string; node: string }[] = [];
  const kept = new Map<string, string>();
  const asked = new Set(options.only === undefined ? [] : model.graph.nodes.filter(options.only).map(keyOf));
  let current = model;
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const wants = (node: Node): boolean =>
      node.domain === "" &&
      decompositions[node.op] !== undefined &&
      !kept.has(keyOf(node)) &&
      (options.only === undefined || asked.has(keyOf(node)));
    if (!current.graph.nodes.some(wants)) break;
    const before = new Set(current.graph.nodes.map(keyOf));
    current = onePass(current, wants, replaced, kept);
    for (const node of current.graph.nodes) if (!before.has(keyOf(node))) asked.add(keyOf(node));
  }
  return { model: current, replaced, kept };
}

/** What a node is known by from pass to pass: inference makes new objects. */
const keyOf = (node: Node): string => node.outputs.find((name) => name !== "") ?? node.name;

function onePass(
  model: Model,
  wants: (node: Node) => boolean,
  replaced: { op: string; node: string }[],
  kept: Map<string, string>,
): Model {
  const { model: typed, contents } = inferContents(model);
  const { graph } = typed;
  const types = typesOf(graph);
  const constants = constantValues(graph);
  const b = new GraphBuilder({ ...graph, nodes: [] });
  for (const name of allNames(graph.nodes)) b.fresh(name);
  for (const node of graph.nodes) {
    if (!wants(node)) {
      b.append(node);
      continue;
    }
    const site: Site = {
      b,
      node,
      opset: model.opsets[""] ?? 18,
      dims: (name) => constants.get(name ?? "")?.dims ?? types.get(name ?? "")?.dims ?? null,
      dtype: (name) => constants.get(name ?? "")?.dtype ?? types.get(name ?? "")?.dtype ?? null,
      constant: (name) => constants.get(name ?? "") ?? null,
      numbers: (name) => contents.get(name ?? "") ?? smallNumbers(constants.get(name ?? "")),
    };
    const count = b.size;
    try {
      const outputs = decompositions[node.op]!(site);
      for (const [i, name] of node.outputs.entries()) {
        if (name === "") continue;
        const value = outputs[i] ?? "";
        if (value === "") refuse(site, `its output ${i} is read, which the decomposition does not offer`);
        b.append({
          op: "Identity",
          domain: "",
          name: `${name}_made`,
          inputs: [value],
          outputs: [name],
          attributes: {},
        });
      }
      if (b.size > MOST_NODES) refuse(site, `the model would grow beyond ${MOST_NODES} nodes`);
      replaced.push({ op: node.op, node: node.name });
    } catch (error) {
      if (!(error instanceof MarauderError) || error.code !== "MODEL_UNSUPPORTED") throw error;
      b.rollBack(count);
      b.append(node);
      kept.set(keyOf(node), String(error.details["why"] ?? error.message));
    }
  }
  return inferContents({ ...typed, graph: b.build() }).model;
}

const smallNumbers = (value: Tensor | undefined): readonly number[] | null =>
  value === undefined || value.dtype === "string" || value.data.length > 4096
    ? null
    : Array.from(value.data as ArrayLike<number | bigint>, Number);

/** Every name of the nodes, sub-graphs included: a new name must shadow nothing. */
function* allNames(nodes: readonly Node[]): Generator<string> {
  for (const node of nodes) {
    yield* [node.name, ...node.outputs].filter((name) => name !== "");
    for (const body of subgraphs(node)) {
      yield* [...body.inputs.map((v) => v.name), ...body.constants.keys()];
      yield* allNames(body.nodes);
    }
  }
}
