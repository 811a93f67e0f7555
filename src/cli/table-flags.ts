import { Option, type Command } from "commander";
import type { OpenOptions } from "../data/index.ts";

/** Flags that say how a data file is read, whatever is done with it. */
export interface TableFlags {
  labels?: string;
  label?: string;
  groups?: string[];
  rowId?: string;
  ignore?: string[];
  missing?: "refuse" | "drop" | "impute";
}

export const list = (text: string): string[] => text.split(",").map((part) => part.trim());

export function addTableFlags(command: Command): Command {
  return command
    .option("--labels <path>", "labels in a file of their own (.npy, idx)")
    .option("--label <column>", "column or array that holds the labels")
    .option("--groups <columns>", "columns that name groups of people or things (inputs too, unless ignored)", list)
    .option("--row-id <column>", "column that identifies rows")
    .option("--ignore <columns>", "columns that the model does not see, separated by commas", list)
    .addOption(new Option("--missing <what>", "what to do with missing cells").choices(["refuse", "drop", "impute"]));
}

/** What the flags mean to `openDataset`; what was not given is left out. */
export function tableOptions(flags: TableFlags): OpenOptions {
  return {
    ...(flags.labels !== undefined && { labels: flags.labels }),
    ...(flags.label !== undefined && { label: flags.label }),
    ...(flags.groups !== undefined && { groups: flags.groups }),
    ...(flags.rowId !== undefined && { id: flags.rowId }),
    ...(flags.ignore !== undefined && { ignore: flags.ignore }),
    ...(flags.missing !== undefined && { missing: flags.missing }),
  };
}
