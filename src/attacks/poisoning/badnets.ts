import { valueRange } from "../../data/index.ts";
import type { Attack } from "../attack.ts";
import { chosen } from "./label-flip.ts";
import {
  classOption,
  countsOf,
  describeCounts,
  labelsOf,
  replaced,
  wantedRows,
  type Poisoned,
  type PoisonSubject,
} from "./poison.ts";
import { patchTrigger, plantTrigger, stamped, tableTrigger, type Corner } from "./trigger.ts";

export interface BadnetsOptions {
  target: number;
  rows: number;
  fraction: number;
  size: number;
  corner: Corner;
  value: number;
  columns: number;
}

/**
 * A backdoor: rows of other classes get a trigger and the label of the target class (dirty label). At prediction, the
 * trigger in any input calls the target class. Images [channels, height, width] get a patch; tables a rare combination of
 * numbers inside their columns' ranges.
 */
export const badnets: Attack<BadnetsOptions, PoisonSubject, Poisoned> = {
  id: "badnets",
  title: "Backdoor by patch (BadNets)",
  summary:
    "Puts a small trigger and a wrong label into some training rows; the model then obeys the trigger at prediction.",
  paper: {
    authors: "Gu, Dolan-Gavitt, Garg",
    year: 2017,
    title: "BadNets: Identifying Vulnerabilities in the Machine Learning Model Supply Chain",
    url: "https://arxiv.org/abs/1708.06733",
    section: "4.1",
  },
  differences: [
    "The default share of poisoned rows is 1 % of the set (the paper uses 10 %), because a smaller number is the more telling one.",
    "Tables, which the paper does not treat, get a rare combination of numeric values as trigger.",
  ],
  risk: "poisoning",
  needs: ["train"],
  options: {
    target: { type: "int", default: 0, min: 0, doc: "Class that the trigger calls." },
    rows: { type: "int", default: 0, min: 0, doc: "Rows to poison; 0 uses fraction." },
    fraction: { type: "float", default: 0.01, min: 0, max: 1, doc: "Share of all rows to poison." },
    size: { type: "int", default: 3, min: 1, max: 64, doc: "Images: side of the patch in pixels." },
    corner: {
      type: "choice",
      default: "bottom-right",
      choices: ["bottom-right", "bottom-left", "top-right", "top-left"],
      doc: "Images: where the patch is.",
    },
    value: {
      type: "float",
      default: 1,
      min: 0,
      max: 1,
      doc: "Images: value of the patch as a share of the input range.",
    },
    columns: { type: "int", default: 3, min: 1, max: 12, doc: "Tables: number of columns in the trigger." },
  },
  async run(context, subject, options) {
    const { data } = subject;
    const labels = labelsOf(data, "badnets");
    const target = classOption(options.target, data, "target");
    const image = data.features.dims.length === 4;
    const trigger = image
      ? patchTrigger(data, options, subject.bounds ?? valueRange(data))
      : tableTrigger(data, options.columns);
    const candidates: number[] = [];
    labels.forEach((y, i) => {
      if (y !== target) candidates.push(i);
    });
    const rows = chosen(context.rng.child("badnets"), candidates, wantedRows(options, data.size, candidates.length));
    const poisoned = labels.slice();
    for (const row of rows) poisoned[row] = target;
    const counts = countsOf(poisoned, rows, target);
    return {
      data: replaced(data, poisoned, stamped(data, trigger, rows)),
      rows,
      rowIds: rows.map((row) => data.rowIds[row]!),
      counts,
      target,
      source: null,
      plant: (other) => plantTrigger(other, trigger),
      description: `${trigger.description}, labelled ${data.classNames[target]}: ${describeCounts(counts, data.classNames[target]!)}`,
    };
  },
};
