import { excerpt, MarauderError } from "../errors.ts";
import { operatorLists } from "../grad/index.ts";
import { getInt, summarize } from "../ir/index.ts";
import type { Dim, Graph, Model, ModelSummary, Node, ValueInfo } from "../ir/index.ts";
import { ancestors, dependents } from "../rewrite/uses.ts";
import { describeDims, requiredInputs } from "./choose-io.ts";
import { gradientModel } from "./gradient-model.ts";
import { prepareModel } from "./prepare-model.ts";
import type { PreparedModel, PrepareOptions } from "./prepare-model.ts";
import { shapesOf } from "./shapes.ts";

export interface InspectedValue {
  readonly name: string;
  readonly kind: string;
  readonly dtype: string | null;
  readonly dims: readonly Dim[] | null;
}

/** One operator and what it means for gradients. */
export interface InspectedOperator {
  readonly op: string;
  readonly count: number;
  /** How many of them lie between the chosen input and the scores. */
  readonly onPath: number;
}

/** Something that Marauder decides when it is not told, and how to tell it. */
export interface Assumption {
  readonly what: "input" | "output" | "classes" | "layout" | "bounds" | "normalization" | "batch" | "class names";
  readonly value: string;
  readonly override: string;
}

/** What a model is and what Marauder will make of it. Plain JSON; names in it are as untrusted as the file. */
export interface Inspection extends ModelSummary {
  readonly inputs: readonly InspectedValue[];
  readonly outputs: readonly InspectedValue[];
  /** Operators cut from the end, outermost first, such as ZipMap and Softmax; null where no output could be chosen. */
  readonly cut: readonly string[] | null;
  readonly scoresAre: "logits" | "log-probabilities" | "probabilities" | null;
  readonly gradient: { readonly available: boolean; readonly reason: string | null };
  /** What can be run against the model: everything, what needs scores or labels alone, or nothing until a problem is solved. */
  readonly attacks: "with gradients" | "scores only" | "none";
  /** Operators that have no gradient whatever their form; one that has may still be refused, see `gradient.reason`. */
  readonly withoutRule: readonly InspectedOperator[];
  /** Operators with kinks (Relu, MaxPool): harmless for attacks. */
  readonly kinked: readonly InspectedOperator[];
  /** Operators whose gradient is zero almost everywhere (Round, Sign, comparisons): they hide gradients on a path. */
  readonly flat: readonly InspectedOperator[];
  readonly batch: {
    readonly inFile: string;
    /** True where any number of examples can be run at once, by the shapes; opening the target proves it by running. */
    readonly open: boolean;
    readonly reason: string | null;
  };
  readonly assumptions: readonly Assumption[];
  /** Why Marauder cannot attack the model as it stands. */
  readonly problems: readonly string[];
}

const kinks = new Set(
  (
    "Relu LeakyRelu PRelu ThresholdedRelu HardSigmoid HardSwish Shrink Abs Clip Max Min MaxPool GlobalMaxPool " +
    "ReduceMax ReduceMin TopK Sort ReduceL1 RoiAlign MaxRoiPool"
  ).split(" "),
);
const flats = new Set(
  (
    "Floor Ceil Round Sign Hardmax ArgMax ArgMin Equal Greater GreaterOrEqual Less LessOrEqual Not And Or Xor " +
    "QuantizeLinear DynamicQuantizeLinear OneHot NonZero Bernoulli"
  ).split(" "),
);

const differentiated = new Set([...operatorLists.rule, ...operatorLists.zero, ...operatorLists.decomposed]);

/** Inspects a model without running it. Never throws for what the model is: problems are listed. */
export function inspectModel(model: Model, options: PrepareOptions = {}): Inspection {
  const problems: string[] = [];
  let prepared: PreparedModel | null = null;
  try {
    prepared = prepareModel(model, options);
  } catch (error) {
    problems.push(wordsOf(error));
  }
  problems.push(...notNumbers(prepared?.model.graph ?? model.graph));
  const path = prepared === null ? null : between(prepared.model.graph, prepared.input, prepared.scores);
  const graph = prepared?.model.graph ?? model.graph;
  const classes = prepared === null ? null : classesOf(prepared);
  if (prepared !== null && classes === 1 && prepared.kind !== "sigmoid-logits") {
    problems.push(
      "the output is one number for each example without a Sigmoid, so it looks like a regression; expected scores of at " +
        "least 2 classes, or a Sigmoid at the end; choose another output with --output NAME",
    );
  }
  const gradient = gradientOf(prepared, classes, problems);
  return {
    ...summarize(model),
    inputs: requiredInputs(model.graph).map(valueOf),
    outputs: model.graph.outputs.map(valueOf),
    cut: prepared?.cut ?? null,
    scoresAre: prepared === null ? null : prepared.kind === "sigmoid-logits" ? "logits" : prepared.kind,
    gradient,
    attacks: prepared === null || problems.length > 0 ? "none" : gradient.available ? "with gradients" : "scores only",
    withoutRule: countOperators(graph, path, (n) => !isDefault(n) || !differentiated.has(n.op)),
    kinked: countOperators(graph, path, (n) => isDefault(n) && kinks.has(n.op)),
    flat: countOperators(graph, path, (n) => isDefault(n) && (flats.has(n.op) || castsToWhole(n))),
    batch: {
      inFile: prepared === null ? "unknown" : describeBatch(prepared),
      open: prepared?.batch.form === "any",
      reason: prepared?.facts.batchRefused ?? null,
    },
    assumptions: prepared === null ? [] : assumptionsOf(prepared, classes, options),
    problems,
  };
}

/** Weights that are no numbers make every score none. */
function notNumbers(graph: Graph): string[] {
  const found: string[] = [];
  for (const [name, { dtype, data }] of graph.constants) {
    if (dtype !== "float32" && dtype !== "float64") continue;
    let count = 0;
    for (let i = 0; i < data.length; i++) if (Number.isNaN(data[i] as number)) count++;
    if (count > 0) found.push(`${JSON.stringify(excerpt(name, 80))} (${count} of ${data.length})`);
  }
  if (found.length === 0) return [];
  const shown = found.slice(0, 4).join(", ") + (found.length > 4 ? ` and ${found.length - 4} more` : "");
  return [
    `constants of the model hold NaN, so its scores would be NaN: ${shown}; expected numbers; train or export the model again`,
  ];
}

const isDefault = (node: Node): boolean => node.domain === "" || node.domain === "ai.onnx";

/** Cast to a type that is not a float: FLOAT 1, FLOAT16 10, DOUBLE 11, BFLOAT16 16. */
const castsToWhole = (node: Node): boolean => node.op === "Cast" && ![1, 10, 11, 16].includes(getInt(node, "to", 1));

const wordsOf = (error: unknown): string => {
  if (error instanceof MarauderError) return error.message;
  throw error;
};

const valueOf = (v: ValueInfo): InspectedValue => ({ name: v.name, kind: v.kind, dtype: v.dtype, dims: v.dims });

/** The nodes through which a change of the input reaches the scores. */
function between(graph: Graph, input: string, scores: string): ReadonlySet<Node> {
  const after = dependents(graph, [input]);
  const before = ancestors(graph, [scores]);
  return new Set(
    graph.nodes.filter((n) => n.outputs.some((o) => before.has(o)) && n.outputs.some((o) => after.has(o))),
  );
}

function countOperators(
  graph: Graph,
  path: ReadonlySet<Node> | null,
  which: (node: Node) => boolean,
): readonly InspectedOperator[] {
  const found = new Map<string, { count: number; onPath: number }>();
  for (const node of graph.nodes) {
    if (!which(node)) continue;
    const name = isDefault(node) ? node.op : `${node.domain}.${node.op}`;
    const entry = found.get(name) ?? { count: 0, onPath: 0 };
    entry.count++;
    if (path?.has(node)) entry.onPath++;
    found.set(name, entry);
  }
  return [...found].map(([op, counts]) => ({ op, ...counts }));
}

/** Numbers for each example; null where that is known only after a run. */
function classesOf(prepared: PreparedModel): number | null {
  const dims = shapesOf(prepared.model)(prepared.scores);
  const own = prepared.batch.form === "none" ? dims : dims?.slice(1);
  if (own === undefined || own === null) return null;
  return own.every((d) => typeof d === "number") ? own.reduce((p: number, d) => p * (d as number), 1) : null;
}

function gradientOf(prepared: PreparedModel | null, classes: number | null, problems: readonly string[]) {
  if (prepared === null) return { available: false, reason: problems[0] ?? null };
  try {
    gradientModel(prepared.model, {
      input: prepared.input,
      scores: prepared.scores,
      classes: Math.max(2, classes ?? 2),
      probabilities: false,
      loss: "margin",
      targeted: false,
      plain: true,
    });
    return { available: true, reason: null };
  } catch (error) {
    return { available: false, reason: wordsOf(error) };
  }
}

function describeBatch(prepared: PreparedModel): string {
  const { fileBatch } = prepared;
  if (fileBatch.form === "any") return "symbolic";
  return fileBatch.form === "fixed" ? `fixed at ${fileBatch.size}` : "none: one example for each run";
}

function assumptionsOf(prepared: PreparedModel, classes: number | null, options: PrepareOptions): Assumption[] {
  const { facts, inputShape } = prepared;
  const binary = classes === 1 && prepared.kind === "sigmoid-logits";
  const out: Assumption[] = [
    { what: "input", value: `${facts.fileInput} ${facts.inputDtype}`, override: "--input NAME" },
    { what: "output", value: facts.fileOutput, override: "--output NAME" },
    {
      what: "classes",
      value: binary ? "2 (one logit, the other is 0)" : classes === null ? "found by the first run" : String(classes),
      override: "--output NAME",
    },
    {
      what: "layout",
      value: `one example has shape ${describeDims(inputShape)}${layoutOf(inputShape)}`,
      override: "--shape CxHxW",
    },
    {
      what: "bounds",
      value: "must be given, or be known from the data: the range of raw inputs",
      override: "--bounds LOW,HIGH",
    },
    {
      what: "normalization",
      value: facts.normalized
        ? `(x - mean) / sd in front of the model${facts.channelAxis === null ? "" : `, channels on axis ${facts.channelAxis}`}`
        : "none: the model takes raw inputs",
      override: "--mean A,B,C --sd A,B,C",
    },
    {
      what: "batch",
      value: prepared.batch.form === "any" ? "any number of examples at once" : describeBatch(prepared),
      override: "none",
    },
  ];
  if (options.mean === undefined && options.sd === undefined && prepared.kind === "probabilities") {
    out.push({ what: "output", value: "probabilities; their logarithms serve as scores", override: "--output NAME" });
  }
  if (prepared.classNames !== null) {
    const shown = prepared.classNames.slice(0, 8).join(", ");
    out.push({
      what: "class names",
      value: prepared.classNames.length > 8 ? `${shown}, ...` : shown,
      override: "none",
    });
  }
  return out;
}

function layoutOf(shape: readonly number[]): string {
  if (shape.length !== 3) return "";
  if (shape[0]! <= 4) return " (channels, height, width)";
  return shape[2]! <= 4 ? " (height, width, channels)" : "";
}
