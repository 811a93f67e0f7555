import { sampleRows } from "../../attacks/memorization/index.ts";
import { badnets } from "../../attacks/poisoning/index.ts";
import type { EvidenceBase, SanitizationEvidence } from "../../contract/index.ts";
import { sanitize } from "../../defenses/data/index.ts";
import { defaultsOf } from "../../options.ts";
import type { Probe } from "../probe.ts";
import { doseApplies } from "./poison-dose.ts";

export interface SanitizationOptions {
  readonly detector: string;
  readonly alpha: number;
  readonly plant: number;
  readonly seeds: number;
  readonly epochs: number;
  readonly trainRows: number;
  readonly testRows: number;
}

type Result = Omit<SanitizationEvidence, Exclude<keyof EvidenceBase, "kind">>;

/** Sanitizes the training data and audits whom that hit. */
export const sanitizationProbe: Probe<SanitizationOptions, Result> = {
  id: "sanitization",
  risk: "poisoning",
  title: "Whom sanitizing hits",
  makes: "sanitization",
  options: {
    detector: {
      type: "choice",
      default: "knn-label-agreement",
      choices: ["knn-label-agreement", "spectral-signatures"],
      doc: "The detector whose removals are audited.",
    },
    alpha: {
      type: "float",
      default: 0.01,
      min: 0.001,
      max: 0.5,
      doc: "False-alarm rate of the detector on clean data.",
    },
    plant: {
      type: "float",
      default: 0,
      min: 0,
      max: 0.5,
      doc: "Share of rows that get a backdoor's trigger before; 0 sanitizes the data as given.",
    },
    seeds: {
      type: "int",
      default: 3,
      min: 1,
      max: 100,
      doc: "Trainings on each of the original, sanitized and randomly thinned data.",
    },
    epochs: {
      type: "int",
      default: 0,
      min: 0,
      max: 10_000,
      doc: "Passes over the data; 0 takes the architecture's default.",
    },
    trainRows: { type: "int", default: 6000, min: 50, doc: "At most so many training rows are used." },
    testRows: { type: "int", default: 2000, min: 20, doc: "At most so many test rows are used." },
  },
  quick: { seeds: 1, trainRows: 3000 },
  applies: doseApplies,
  async run(context, subject, options) {
    const own = sampleRows(context, subject.train!, options.trainRows, "train rows");
    const reference = sampleRows(context, subject.test, options.testRows, "test rows");
    const planted =
      options.plant === 0
        ? null
        : await badnets.run(context, own.schema === null ? { data: own, bounds: subject.bounds } : { data: own }, {
            ...defaultsOf(badnets.options),
            fraction: options.plant,
          });
    const { audit, looks } = await sanitize(
      planted?.data ?? own,
      {
        detector: options.detector,
        options: { alpha: options.alpha },
        // Flagging audits a removal without making it, so that a removal that would empty a class is shown, not refused.
        action: "flag",
        reference,
        trainer: subject.trainer,
        trainOptions: { arch: subject.arch, ...(options.epochs > 0 && { epochs: options.epochs }) },
        seeds: options.seeds,
      },
      context,
    );
    return {
      kind: "sanitization",
      detector: options.detector,
      alpha: options.alpha,
      data: planted === null ? "as given" : planted.description,
      declaredGroups: Object.keys(own.groups),
      looks: looks.map((l) => l.flagged.length),
      audit,
    };
  },
};
