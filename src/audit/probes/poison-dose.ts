import { sampleRows } from "../../attacks/memorization/index.ts";
import { doseResponse, type DoseResponse, type Poisoned, type PoisonSubject } from "../../attacks/poisoning/index.ts";
import type { RunContext } from "../../context.ts";
import type { DosePoint, DoseResponseResult, OptionTable } from "../../contract/index.ts";
import { MarauderError } from "../../errors.ts";
import type { AuditSubject } from "../probe.ts";

/** What the two dose-response probes share: doses, seeds, and how much data and training they may use. */
export interface DoseOptions {
  readonly doses: string;
  readonly seeds: number;
  readonly epochs: number;
  readonly trainRows: number;
  readonly testRows: number;
}

export const doseOptions = (doses: string): OptionTable<DoseOptions> => ({
  doses: {
    type: "text",
    default: doses,
    doc: "Shares of the training rows to poison, ascending, separated by commas.",
  },
  seeds: { type: "int", default: 3, min: 1, max: 100, doc: "Trainings for each dose." },
  epochs: {
    type: "int",
    default: 0,
    min: 0,
    max: 10_000,
    doc: "Passes over the data; 0 takes the architecture's default.",
  },
  trainRows: { type: "int", default: 10_000, min: 50, doc: "At most so many training rows are used." },
  testRows: { type: "int", default: 2000, min: 20, doc: "At most so many test rows are used." },
});

export function doseApplies({ train, test }: AuditSubject): string | null {
  if (train === null) return "needs the training data: give --train";
  if (train.labels === null || test.labels === null) return "needs the labels of training and test data";
  return null;
}

/** Runs a poisoning attack at every dose. `poison` makes the data set with so many bad rows. */
export async function measureDoses(
  context: RunContext,
  subject: AuditSubject,
  options: DoseOptions,
  kind: DoseResponseResult["kind"],
  target: number | null,
  poison: (context: RunContext, subject: PoisonSubject, rows: number) => Promise<Poisoned>,
): Promise<DoseResponseResult> {
  const train = sampleRows(context, subject.train!, options.trainRows, "train rows");
  const test = sampleRows(context, subject.test, options.testRows, "test rows");
  const response = await doseResponse(
    {
      train,
      test,
      ...(train.schema === null && { bounds: subject.bounds }),
      trainer: subject.trainer,
      trainOptions: { arch: subject.arch, ...(options.epochs > 0 && { epochs: options.epochs }) },
      doses: rowsOf(options.doses, train.size),
      seeds: options.seeds,
      poison,
    },
    context,
  );
  return {
    kind,
    arch: subject.arch,
    trainRows: train.size,
    testRows: test.size,
    target: target === null ? null : (train.classNames[target] ?? String(target)),
    example: response.example,
    floor: point(response.floor),
    doses: response.doses.map(point),
    rowsToHalf: halfOf(response),
  };
}

/** Shares of the set to distinct numbers of rows, at least one each. */
function rowsOf(doses: string, size: number): number[] {
  const shares = doses.split(",").map((text) => (text.trim() === "" ? NaN : Number(text)));
  if (shares.length === 0 || shares.some((s, i) => !(s > 0 && s <= 0.5) || (i > 0 && s <= shares[i - 1]!))) {
    throw new MarauderError(
      "OPTION_RANGE",
      `doses must be ascending shares above 0 and up to 0.5, such as 0.005,0.01,0.05; got ${JSON.stringify(doses)}`,
    );
  }
  return [...new Set(shares.map((s) => Math.max(1, Math.round(s * size))))];
}

const point = (dose: DoseResponse["floor"]): DosePoint => ({
  ...dose,
  accuracy: { ...dose.accuracy, level: 0.95 },
  success: dose.success === null ? null : { ...dose.success, level: 0.95 },
});

function halfOf({ rowsToHalf }: DoseResponse): DoseResponseResult["rowsToHalf"] {
  if (rowsToHalf === null) return null;
  return rowsToHalf.reached
    ? { rows: rowsToHalf.rows, from: rowsToHalf.from, to: rowsToHalf.to }
    : { above: rowsToHalf.above };
}
