import type { RunContext } from "../../context.ts";
import type { Dataset } from "../../data/dataset.ts";
import { take } from "../../data/subset.ts";
import { throwIfCancelled } from "../../errors.ts";
import type { TrainedModel } from "../../train/trainer.ts";
import { detect, looksThroughModel, type Detected, type DetectSettings } from "./detect.ts";
import type { Flagged } from "./detector.ts";

export interface LookSettings extends DetectSettings {
  /** At most so many looks; one without a reference. */
  readonly looks: number;
  /** Trains a model on the rows that are left, for the next look. */
  readonly train: ((rows: Dataset) => Promise<TrainedModel>) | null;
}

/** One look of the detector. */
export interface Look {
  /** Rows that it looked at. */
  readonly rows: number;
  /** What it flagged; `row` is the position in the data as given. */
  readonly flagged: readonly Flagged[];
}

export interface Looked {
  readonly looks: readonly Look[];
  /** The first look in full. */
  readonly first: Detected;
  readonly kept: Dataset;
  /** A model trained on `kept`, where the last look needed one; the caller closes it. */
  readonly model: TrainedModel | null;
}

/**
 * Detects, takes out what was flagged, trains on the rest and looks again with that model, until nothing is found: a group
 * that hid behind a larger one shows once that is gone. A second look happens only where the first found something, so the
 * probability of flagging anything in clean data stays that of one look. Without a reference there is one look: where the
 * detector's assumption does not hold, each more would take more honest rows (of a rare class 47 % in three looks instead of
 * 39 %). Throws what `detect` and `train` throw.
 */
export async function lookUntilNothing(data: Dataset, settings: LookSettings, context: RunContext): Promise<Looked> {
  const looks: Look[] = [];
  let rows = Array.from({ length: data.size }, (_, i) => i);
  let kept = data;
  let model: TrainedModel | null = null;
  let first: Detected | null = null;
  try {
    for (;;) {
      throwIfCancelled(context.signal);
      const rng = looks.length === 0 ? context.rng : context.rng.child("look").child(looks.length);
      const detected = await detect(kept, { ...settings, model: model ?? settings.model }, { ...context, rng });
      first ??= detected;
      const flagged = detected.detection.flagged.map((f) => ({ ...f, row: rows[f.row]! }));
      looks.push({ rows: rows.length, flagged });
      if (flagged.length > 0) {
        const gone = new Set(flagged.map((f) => f.row));
        rows = rows.filter((row) => !gone.has(row));
        kept = take(data, rows);
        await model?.close();
        model = null;
      }
      const last = flagged.length === 0 || looks.length >= settings.looks || settings.reference === null;
      if (last || lostClass(data, kept) !== null) break;
      if (settings.train !== null && looksThroughModel(settings)) model = await settings.train(kept);
    }
    return { looks, first, kept, model };
  } catch (error) {
    await model?.close();
    throw error;
  }
}

/** The first class that has rows in `data` and none in `kept`, or null. */
export function lostClass(data: Dataset, kept: Dataset): string | null {
  return data.classNames.find((_, y) => data.labels!.includes(y) && !kept.labels!.includes(y)) ?? null;
}
