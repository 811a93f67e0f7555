import type { RunContext } from "../../context.ts";
import type { Engine } from "../../engine/engine.ts";
import { descend } from "../descend.ts";
import type { Model } from "../../ir/index.ts";
import { unpack } from "../parameters.ts";
import { openPrograms, type Programs } from "../programs.ts";
import type { TrainHooks } from "../trainer.ts";
import { buildLanguageModel } from "./architectures.ts";
import { trainableLanguage } from "./further.ts";
import { openLanguageModel, type LanguageModel } from "./language-model.ts";
import { resolveLanguageOptions, type LanguageOptions } from "./language-options.ts";
import type { Sequences } from "./sequences.ts";
import { checkSequences, tokenCourse } from "./token-batches.ts";

/**
 * Trains a language model; same examples, options and generator give the same model. Throws NOT_ENOUGH_DATA, DATA_LABELS,
 * OPTION_RANGE, TRAIN_DIVERGED, CANCELLED; with a checkpoint FILE_WRITE, DATA_CORRUPT.
 */
export type LanguageTrainer = (
  data: Sequences,
  options: Partial<LanguageOptions>,
  context: RunContext,
  hooks?: Pick<TrainHooks, "checkpoint">,
) => Promise<LanguageModel>;

/** A trainer that owns its compiled graphs; models live on when it is closed. */
export interface OpenLanguageTrainer extends LanguageTrainer {
  close(): Promise<void>;
}

export interface LanguageTrainerOptions {
  readonly threads?: number;
  /** A language model that is trained further, in place of an architecture; the options then have no arch, width, ... */
  readonly start?: Model;
}

/**
 * Makes a trainer of language models on an engine. Graphs are compiled once for each architecture and shape. With one
 * thread, the same data, options and generator give bit-equal weights.
 */
export function makeLanguageTrainer(
  engine: Engine,
  { threads, start }: LanguageTrainerOptions = {},
): OpenLanguageTrainer {
  const compiled = new Map<string, Programs>();
  const train: LanguageTrainer = async (data, given, context, hooks = {}) => {
    checkSequences(data);
    const { vocabulary } = data;
    const options = resolveLanguageOptions(given, data.starts.length, start !== undefined);
    const { arch, width, layers, heads, embedding, tied } = options;
    const spec = { vocabulary, context: data.context, width, layers, heads, embedding, tied };
    const trainable =
      start === undefined
        ? buildLanguageModel(arch, { ...spec, rng: context.rng.child("init") })
        : trainableLanguage(start, vocabulary, data.context);
    const key = [arch, vocabulary.size, data.context, width, layers, heads, embedding, tied].join(" ");
    const programs = compiled.get(key) ?? openPrograms(engine, trainable, threads);
    compiled.set(key, programs);
    const course = tokenCourse(data, options, context.rng);
    const task = { course, trainable, programs, options: { ...options, loss: "next-token" as const } };
    const parameters = await descend(task, context, hooks);
    const model = unpack(trainable.exported, programs.layout, parameters);
    return await openLanguageModel(engine, model, { vocabulary, ...(threads !== undefined && { threads }) });
  };
  const close = async (): Promise<void> => {
    for (const programs of compiled.values()) await programs.close();
    compiled.clear();
  };
  return Object.assign(train, { close });
}
