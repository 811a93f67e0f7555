import { Option, type Command } from "commander";
import { checkFileGradient } from "../../audit/check-file-gradient.ts";
import { checkModelGradient } from "../../audit/check-model-gradient.ts";
import { notesOf } from "../../audit/model-notes.ts";
import { ortEngine } from "../../engine/index.ts";
import { MarauderError } from "../../errors.ts";
import { loadModel, printModel, type Model } from "../../ir/index.ts";
import { inspectRunning, type InspectedOperator, type InspectedValue, type Inspection } from "../../target/index.ts";
import { exit } from "../exit.ts";
import { boundsValue, numberList, positiveInteger, seedValue, shapeValue } from "../flags.ts";
import { columns, printable, wrap } from "../text.ts";

interface InspectFlags {
  json?: boolean;
  text?: boolean;
  checkGradient?: boolean;
  directions: number;
  seed: number;
  bounds?: [number, number];
  mean?: number[];
  sd?: number[];
  input?: string;
  output?: string;
  shape?: number[];
}

/** marauder inspect model.onnx */
export function addInspect(main: Command): void {
  main
    .command("inspect")
    .description("what a model is, what Marauder will assume of it, and how to override that")
    .argument("<model.onnx>")
    .option("--json", "print JSON")
    .option("--text", "print the whole graph as text")
    .option("--input <name>", "name of the model's input, where it has several")
    .option("--output <name>", "name of the output that holds the scores, where it has several")
    .option("--shape <CxHxW>", "shape of one example, where the file leaves it open", shapeValue)
    .option("--mean <numbers>", "per-channel mean that the model expects to be subtracted", numberList)
    .option("--sd <numbers>", "per-channel standard deviation, likewise", numberList)
    .option("--check-gradient", "compare the gradient with finite differences in random directions")
    .addOption(new Option("--bounds <low,high>", "input range for --check-gradient").argParser(boundsValue))
    .addOption(new Option("--directions <n>", "directions for --check-gradient").argParser(positiveInteger).default(4))
    .addOption(new Option("--seed <n>", "seed for --check-gradient").argParser(seedValue).default(0))
    .action(async (path: string, flags: InspectFlags) => {
      const model = await loadModel(path);
      if (flags.text === true) {
        process.stdout.write(linesOf(printModel(model)) + "\n");
        return;
      }
      const given = {
        ...(flags.input !== undefined && { input: flags.input }),
        ...(flags.output !== undefined && { output: flags.output }),
        ...(flags.mean !== undefined && { mean: flags.mean }),
        ...(flags.sd !== undefined && { sd: flags.sd }),
        ...(flags.shape !== undefined && { inputShape: flags.shape }),
      };
      const inspection = await inspectRunning(model, ortEngine, given);
      const gradient = flags.checkGradient === true ? await checked(model, inspection, given, flags) : null;
      const printed = {
        model: path,
        ...inspection,
        ...(gradient !== null && { gradient: { ...inspection.gradient, ...gradient } }),
      };
      process.stdout.write(
        (flags.json === true ? JSON.stringify(printed, null, 2) : linesOf(describe(path, inspection))) + "\n",
      );
      if (gradient === null) return;
      if (gradient.refused !== null) process.exitCode = exit.couldNotRun;
      if (flags.json !== true) process.stdout.write(`\nGradient check: ${linesOf(inWords(gradient))}\n`);
    });
}

interface Checked {
  readonly relativeError: number | null;
  readonly directions: number;
  readonly engine: string | null;
  readonly outcome: "compared" | "flat" | "estimate" | "refused";
  readonly by: readonly string[];
  readonly of: readonly string[];
  /** Why nothing could be compared. */
  readonly refused: string | null;
}

/**
 * Of a model that can be attacked: the scores by the input, as an attack has them. Of any other file: all outputs of
 * floats by all inputs of floats.
 */
async function checked(model: Model, i: Inspection, given: object, flags: InspectFlags): Promise<Checked> {
  const { directions } = flags;
  try {
    const [low, high] = flags.bounds ?? notesOf(model).bounds ?? [0, 1];
    if (i.gradient.available && i.problems.length === 0) {
      const options = { engine: ortEngine, bounds: { low, high }, ...given };
      const found = await checkModelGradient(model, options, flags);
      return { ...found, by: ["the input"], of: ["the scores"], refused: null };
    }
    const { operators: _operators, ...found } = await checkFileGradient(model, { directions, seed: flags.seed });
    return { ...found, refused: null };
  } catch (error) {
    if (!(error instanceof MarauderError)) throw error;
    const nothing = { relativeError: null, engine: null, by: [], of: [], outcome: "refused" as const };
    return { ...nothing, directions: 0, refused: error.message };
  }
}

function inWords({ outcome, relativeError, directions, engine, by, of, refused }: Checked): string {
  if (refused !== null) return `not possible: ${refused}`;
  const what = `${of.join(", ")} by ${by.join(", ")}, in ${directions} directions (${engine})`;
  switch (outcome) {
    case "flat":
      return `nothing flows at the points tried, so there is nothing to compare; ${what}`;
    case "estimate":
      return `quantizers lie on the path: their gradient is a straight-through estimate, which differences say nothing about; ${what}`;
    default:
      return `relative error ${relativeError!.toExponential(1)}, ${what}`;
  }
}

/** Names in a model are untrusted: control characters are escaped, line by line. */
const linesOf = (text: string): string => text.split("\n").map(printable).join("\n");

const typeOf = (v: InspectedValue): string =>
  `${v.name}: ${v.kind === "tensor" ? `${v.dtype ?? "?"}[${v.dims?.map((d) => d ?? "?").join(", ") ?? "..."}]` : v.kind}`;

const named = (title: string, operators: readonly InspectedOperator[], meaning: string): string[] =>
  operators.length === 0
    ? []
    : [
        `${title}: ${operators.map((o) => `${o.op} x ${o.count}${o.onPath > 0 ? ` (${o.onPath} on the path)` : " (off the path)"}`).join(", ")}`,
        `  ${meaning}`,
      ];

const shortened = (text: string): string => (text.length <= 90 ? text : `${text.slice(0, 87)}...`);

function describe(path: string, i: Inspection): string {
  const lines = [
    path,
    `  made by     ${[i.producer, i.producerVersion].filter((t) => t !== "").join(" ") || "unknown"}, ${Object.entries(
      i.opsets,
    )
      .map(([domain, version]) => `${domain === "" ? "opset" : domain} ${version}`)
      .join(", ")}`,
    ...i.inputs.map((v) => `  input       ${typeOf(v)}`),
    ...i.outputs.map((v) => `  output      ${typeOf(v)}`),
    `  parameters  ${i.parameters.toLocaleString("en")}`,
    `  operators   ${i.operators.map(([op, n]) => `${op} x ${n}`).join(", ")}`,
    `  batch axis  ${i.batch.inFile}${i.batch.open ? ", any number of examples can be run at once" : ""}${i.batch.reason === null ? "" : ` (${i.batch.reason})`}`,
    `  ends in     ${i.cut === null ? "unknown" : i.cut.length === 0 ? "plain scores" : `${i.cut.join(", ")}, which is cut off`}${i.scoresAre === null ? "" : `; scores are ${i.scoresAre}`}`,
    `  attacks     ${i.attacks === "none" ? "none, see Problems" : i.attacks === "scores only" ? "those that need scores or labels only" : "all, with and without gradients"}`,
    `  gradient    ${i.gradient.available ? "available" : `none: ${i.gradient.reason ?? "unknown"}`}`,
    "",
    ...named("Without a gradient rule", i.withoutRule, "on the path they leave black-box attacks only"),
    ...named("With kinks", i.kinked, "harmless for attacks"),
    ...named("Flat almost everywhere", i.flat, "on the path they hide gradients: trust black-box attacks more"),
  ];
  if (i.assumptions.length > 0) {
    lines.push(
      "",
      "Marauder will assume",
      columns(
        ["what", "value", "override"],
        i.assumptions.map((a) => [a.what, shortened(a.value), a.override]),
      ),
    );
  }
  if (i.problems.length > 0) lines.push("", "Problems", ...i.problems.map((p) => wrap(p, 100, "  ")));
  return lines.join("\n");
}
