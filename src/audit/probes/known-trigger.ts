import type { KnownTriggerResult } from "../../contract/index.ts";
import type { Probe } from "../probe.ts";

/** Measures a model on test rows that carry a known trigger. */
export const knownTriggerProbe: Probe<Record<string, never>, KnownTriggerResult> = {
  id: "known-trigger",
  risk: "poisoning",
  title: "Obedience to a known trigger",
  makes: "known-trigger",
  options: {},
  quick: {},
  applies({ target, triggered, test }) {
    if (target === null) return "needs a model";
    if (triggered === null) return "no known trigger is given (triggered: in the plan)";
    if (test.labels === null || triggered.data.labels === null) return "needs the labels of the test rows";
    if (triggered.data.labels.every((y) => y === triggered.target))
      return "every row with the trigger is of the class that it aims at: only rows of other classes can show an attack";
    return null;
  },
  async run(context, { target, triggered, test }) {
    const { data, target: aim } = triggered!;
    const withTrigger = await target!.label(data.features);
    context.step(1, 2);
    const clean = await target!.label(test.features);
    context.step(2, 2);
    let rows = 0;
    let obeyed = 0;
    data.labels!.forEach((label, i) => {
      if (label === aim) return;
      rows++;
      if (withTrigger[i] === aim) obeyed++;
    });
    // The floor: how often the same classes are taken for the target without a trigger, scaled to the same rows.
    const others = test.labels!.reduce((n, y) => n + (y === aim ? 0 : 1), 0);
    const mistaken = clean.reduce((n, k, i) => n + (test.labels![i] !== aim && k === aim ? 1 : 0), 0);
    return {
      kind: "known-trigger",
      target: data.classNames[aim] ?? String(aim),
      rows,
      obeyed,
      without: others === 0 ? 0 : Math.round((mistaken / others) * rows),
      cleanRows: test.size,
      cleanCorrect: clean.reduce((n, k, i) => n + (k === test.labels![i] ? 1 : 0), 0),
    };
  },
};
