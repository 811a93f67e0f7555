import { InvalidArgumentError, Option, type Command } from "commander";
import { addTableFlags, list, type TableFlags } from "./table-flags.ts";
import type { PlanSubject } from "../contract/index.ts";
import { readHttpFile } from "./http-file.ts";
import { parseNumber } from "../options.ts";

/** Parsers of option values; commander prints the flag and the message. */
export function numberValue(text: string): number {
  const value = parseNumber(text);
  if (!Number.isFinite(value))
    throw new InvalidArgumentError(`expected a number or a fraction such as 8/255, got "${text}".`);
  return value;
}

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value <= 0)
    throw new InvalidArgumentError(`expected a whole number above 0, got "${text}".`);
  return value;
}

export function seedValue(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError(`expected a whole number from 0, got "${text}".`);
  return value;
}

export function targetClassValue(text: string): number | "least-likely" {
  return text === "least-likely" ? text : seedValue(text);
}

export function numberList(text: string): number[] {
  return list(text).map(numberValue);
}

export function boundsValue(text: string): [number, number] {
  const [low, high, ...rest] = numberList(text);
  if (low === undefined || high === undefined || rest.length > 0 || low >= high) {
    throw new InvalidArgumentError(
      `expected "low,high" with low below high, for instance 0,1 or 0,255; got "${text}".`,
    );
  }
  return [low, high];
}

export function shapeValue(text: string): number[] {
  return text.split(/[x,]/).map((part) => positiveInteger(part));
}

/** name=value pairs, collected. */
export function optionPair(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError(`expected name=value, got "${text}".`);
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** The flags that say what a model's data look like. They are those of a plan's subject, one to one. */
export function addDataFlags(command: Command): Command {
  command.option("--data <path>", "data: .npz, .npy, idx(.gz), .csv, .parquet, .jsonl, or a folder of images");
  return addTableFlags(command)
    .option("--class-names <names>", "names of the classes in order, separated by commas", list)
    .addOption(
      new Option("--bounds <low,high>", "legal range of the model's inputs, in its own units").argParser(boundsValue),
    )
    .option(
      "--mean <numbers>",
      "per-channel mean that the model expects to be subtracted (folded into the graph)",
      numberList,
    )
    .option("--sd <numbers>", "per-channel standard deviation, likewise", numberList)
    .option("--input <name>", "name of the model's input, where it has several")
    .option("--output <name>", "name of the output that holds the scores, where it has several")
    .option("--shape <CxHxW>", "shape of one example, where the data's differs from the model's", shapeValue)
    .option("--http <file>", "for an endpoint: request and response templates (JSON or YAML, see docs/endpoints.md)")
    .option("--classes <n>", "for an endpoint: how many classes it tells apart", positiveInteger)
    .option("--transpose", "swap the last two axes of the examples");
}

export interface DataFlags extends TableFlags {
  data?: string;
  classNames?: string[];
  bounds?: [number, number];
  mean?: number[];
  sd?: number[];
  input?: string;
  output?: string;
  shape?: number[];
  transpose?: boolean;
  http?: string;
  classes?: number;
  members?: string;
  nonMembers?: string;
  train?: string;
  arch?: string;
}

const keys = [
  "labels",
  "label",
  "groups",
  "rowId",
  "ignore",
  "missing",
  "classNames",
  "bounds",
  "mean",
  "sd",
  "input",
  "output",
  "shape",
  "transpose",
  "members",
  "nonMembers",
  "train",
  "arch",
] as const satisfies readonly (keyof DataFlags & keyof PlanSubject)[];

/** A plan's subject from flags; what was not given is left out. */
export async function subjectFromFlags(
  id: string,
  model: string,
  data: string,
  flags: DataFlags,
): Promise<PlanSubject> {
  const given = Object.fromEntries(keys.filter((k) => flags[k] !== undefined).map((k) => [k, flags[k]]));
  const http = {
    ...(flags.http !== undefined && (await readHttpFile(flags.http))),
    ...(flags.classes !== undefined && { classes: flags.classes }),
  };
  return { id, model, data, ...given, ...(Object.keys(http).length > 0 && { http }) } as PlanSubject;
}
