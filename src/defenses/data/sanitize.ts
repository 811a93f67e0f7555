import type { RunContext } from "../../context.ts";
import type { SanitizationAudit } from "../../contract/evidence/poisoning.ts";
import type { Dataset } from "../../data/dataset.ts";
import { take } from "../../data/subset.ts";
import { MarauderError, throwIfCancelled } from "../../errors.ts";
import { correctness } from "../../train/predictions.ts";
import type { TrainedModel, Trainer, TrainOptions } from "../../train/trainer.ts";
import type { Detected } from "./detect.ts";
import type { Flagged } from "./detector.ts";
import { lookUntilNothing, lostClass, type Look, type Looked } from "./look-until-nothing.ts";
import { auditSanitization, type Retrained } from "./sanitization-audit.ts";

export interface SanitizeSettings {
  readonly detector: string;
  readonly options?: Readonly<Record<string, unknown>>;
  /** Names of group columns of the data to audit; all that the data set has when absent. */
  readonly groups?: readonly string[];
  /** flag keeps every row, and audits what removing the flagged ones would do. */
  readonly action: "remove" | "flag";
  /** Trusted clean rows: the detector compares with them, and retrained models are measured on them. */
  readonly reference: Dataset | null;
  /** Retrains on original, sanitized and randomly thinned data when given, and when anything is flagged. */
  readonly trainer?: Trainer;
  readonly trainOptions?: Partial<TrainOptions>;
  /** At most so many looks: after each that finds something, the rest is looked at again; default 3, one without a reference. */
  readonly looks?: number;
  /** Trainings of each kind; default 1. */
  readonly seeds?: number;
}

export interface Sanitized {
  /** All rows with action flag. */
  readonly kept: Dataset;
  /** What the detector flagged, in all looks. */
  readonly removed: readonly Flagged[];
  /** Look by look; the last one found nothing, unless there were as many as allowed. */
  readonly looks: readonly Look[];
  /** The first look in full. */
  readonly detected: Detected;
  readonly audit: SanitizationAudit;
  /** 1 when the audit's verdict is uneven, else 0. */
  readonly exitCode: 0 | 1;
}

/**
 * Finds suspicious rows, takes them out, looks again at the rest, and audits whom the whole removal hit. Throws UNKNOWN_ID, DATA_LABELS, OPTION_RANGE, what the
 * trainer throws, and NOT_ENOUGH_DATA when a removal would leave a class without rows.
 */
export async function sanitize(data: Dataset, settings: SanitizeSettings, context: RunContext): Promise<Sanitized> {
  const groups = chosenGroups(data, settings.groups);
  const { trainer, reference } = settings;
  const first =
    trainer === undefined ? null : await trainer(data, settings.trainOptions ?? {}, quiet(context, "original", 0));
  let looked: Looked | null = null;
  try {
    const again =
      trainer === undefined
        ? null
        : (rows: Dataset): Promise<TrainedModel> =>
            trainer(rows, settings.trainOptions ?? {}, quiet(context, "original", 0));
    const looking = { ...settings, model: first, options: settings.options ?? {}, looks: settings.looks ?? 3 };
    looked = await lookUntilNothing(data, { ...looking, train: again }, context);
    const { kept, looks, first: detected } = looked;
    const removed = looks.flatMap((l) => l.flagged);
    const flags = new Uint8Array(data.size);
    for (const { row } of removed) flags[row] = 1;
    const emptied = lostClass(data, kept);
    if (emptied !== null && settings.action === "remove") {
      throw new MarauderError(
        "NOT_ENOUGH_DATA",
        `removing the flagged rows would leave class ${emptied} without a row; use the action flag and look at the rows`,
      );
    }
    const retrained =
      trainer === undefined ||
      reference === null ||
      reference.labels === null ||
      emptied !== null ||
      removed.length === 0
        ? null
        : await retrain(
            data,
            kept,
            flags,
            reference,
            groups,
            trainer,
            settings,
            { first, again: looked.model },
            context,
          );
    const { features, columns } = numbersOf(data, detected);
    const audit = auditSanitization(
      {
        removed: flags,
        labels: data.labels!,
        classNames: data.classNames,
        groups: pick(data, groups),
        features,
        columns,
        retrained,
      },
      context.rng.child("audit"),
    );
    return {
      kept: settings.action === "flag" ? data : kept,
      removed,
      looks,
      detected,
      audit,
      exitCode: audit.verdict === "uneven" ? 1 : 0,
    };
  } finally {
    await first?.close();
    await looked?.model?.close();
  }
}

async function retrain(
  data: Dataset,
  kept: Dataset,
  flags: Uint8Array,
  test: Dataset,
  groups: readonly string[],
  trainer: Trainer,
  settings: SanitizeSettings,
  ready: { readonly first: TrainedModel | null; readonly again: TrainedModel | null },
  context: RunContext,
): Promise<Retrained> {
  const seeds = settings.seeds ?? 1;
  const sums = {
    original: new Float64Array(test.size),
    sanitized: new Float64Array(test.size),
    placebo: new Float64Array(test.size),
  };
  let done = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const fit = async (rows: Dataset, into: Float64Array, trained: TrainedModel | null): Promise<void> => {
      throwIfCancelled(context.signal);
      const model = trained ?? (await trainer(rows, settings.trainOptions ?? {}, quiet(context, "original", seed)));
      try {
        (await correctness(model, test)).forEach((r, i) => (into[i]! += r / seeds));
      } finally {
        if (trained === null) await model.close();
      }
      context.step(++done, 3 * seeds, "retraining");
    };
    await fit(data, sums.original, seed === 0 ? ready.first : null);
    await fit(kept, sums.sanitized, seed === 0 ? ready.again : null);
    await fit(take(data, placeboRows(data.labels!, data.classNames.length, flags, context, seed)), sums.placebo, null);
  }
  return { labels: test.labels!, groups: pick(test, groups), ...sums };
}

/** What stays when as many rows of each class as were flagged there are taken out at random. */
export function placeboRows(
  labels: Int32Array,
  classes: number,
  flags: Uint8Array,
  context: RunContext,
  seed: number,
): number[] {
  const out = new Uint8Array(labels.length);
  for (let y = 0; y < classes; y++) {
    const own = positions(
      Uint8Array.from(labels, (label) => (label === y ? 1 : 0)),
      1,
    );
    const gone = own.reduce((sum, row) => sum + flags[row]!, 0);
    for (const i of context.rng.child("placebo").child(seed).child(y).choose(own.length, gone)) out[own[i]!] = 1;
  }
  return positions(out, 0);
}

const quiet = (context: RunContext, label: string, seed: number): RunContext => ({
  rng: context.rng.child(label).child(seed),
  signal: context.signal,
  step: () => undefined,
});

function positions(flags: Uint8Array, value: number): number[] {
  const out: number[] = [];
  flags.forEach((f, i) => {
    if (f === value) out.push(i);
  });
  return out;
}

function chosenGroups(data: Dataset, wanted: readonly string[] | undefined): readonly string[] {
  const known = Object.keys(data.groups);
  const missing = (wanted ?? []).find((name) => !Object.hasOwn(data.groups, name));
  if (missing !== undefined) {
    throw new MarauderError(
      "OPTION_RANGE",
      `data set ${data.name} has no group column ${JSON.stringify(missing)}; ${known.length === 0 ? "none is declared" : `declared are ${known.join(", ")}`}`,
    );
  }
  return wanted ?? known;
}

const pick = (data: Dataset, names: readonly string[]): Record<string, readonly string[]> =>
  Object.fromEntries(
    names.filter((name) => Object.hasOwn(data.groups, name)).map((name) => [name, data.groups[name]!]),
  );

/** The columns whose shift is shown: a table's own, else the detector's features. */
function numbersOf(data: Dataset, { suspects }: Detected): { features: Float32Array; columns: string[] } {
  const width = data.features.data.length / data.size;
  if (data.schema !== null && width <= 200) {
    return {
      features: data.features.data,
      columns: data.schema.inputs.map((i) => (i.category === undefined ? i.column : `${i.column} = ${i.category}`)),
    };
  }
  return { features: suspects.features, columns: Array.from({ length: suspects.width }, (_, j) => `feature ${j + 1}`) };
}
