import type { RunContext } from "../../context.ts";
import { ortEngine } from "../../engine/ort-node.ts";
import { writeAtomically } from "../../files.ts";
import type { Model } from "../../ir/index.ts";
import type { Preprocessing } from "../../privacy/index.ts";
import {
  buildLanguageModel,
  makePrivateTrainer,
  openLanguageModel,
  resolveLanguageOptions,
  tokensOf,
  trainableLanguage,
  type LanguageOptions,
  type Sequences,
} from "../../train/index.ts";
import {
  emaOf,
  givenModel,
  hooksFor,
  openLedger,
  planFor,
  statementOf,
  type PrivateRunFlags,
} from "./train-private.ts";

interface Flags extends PrivateRunFlags {
  optimizer?: "sgd" | "adam" | "adamw";
  vocabulary?: string;
  contextLength?: number;
}

/** Norm that the gradient of a record is cut to: that of a whole language model is larger than a small classifier's. */
const CLIP = 1;
const LEARNING_RATE = { adam: 5e-3, sgd: 1 } as const;
/** Most records that are computed together: an unrolled recurrence keeps much for each. */
const ROWS = 32;

/** Trains a language model so that it tells almost the same whether any one record was there or not. */
export async function trainTextPrivately(
  flags: Flags,
  data: Sequences,
  start: Model | null,
  shape: Partial<LanguageOptions>,
  context: RunContext,
) {
  const { vocabulary } = data;
  const records = data.starts.length;
  const options = resolveLanguageOptions(start === null ? shape : {}, records, start !== null);
  const spec = { ...options, vocabulary, context: data.context, rng: context.rng.child("init") };
  const trainable =
    start === null ? buildLanguageModel(options.arch, spec) : trainableLanguage(start, vocabulary, data.context);
  const plan = planFor(flags, records, CLIP);
  const { momentum, nesterov, schedule, warmUp, ema = emaOf(plan.steps) } = flags;
  const optimizer = flags.optimizer === "sgd" ? "sgd" : "adam";
  const given = { momentum, nesterov, schedule: schedule ?? "cosine", warmUp };
  const ledger = openLedger(flags.ledger);
  try {
    const train = makePrivateTrainer(ortEngine, flags.threads === undefined ? {} : { threads: flags.threads });
    const result = await train(
      trainable,
      tokensOf(data, Array.from(data.starts.keys())),
      plan,
      {
        ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
        loss: "next-token",
        optimizer,
        learningRate: flags.learningRate ?? LEARNING_RATE[optimizer],
        ema,
        rows: ROWS,
      },
      context,
      hooksFor(flags, ledger),
    );
    const statement = statementOf(
      flags,
      result,
      preprocessingOf(flags, start),
      "The loss below is of records that were not trained on; those records are not protected by this training. A person with several records is protected less than one with a single record.",
    );
    if (flags.statement !== undefined)
      await writeAtomically(flags.statement, JSON.stringify(statement, null, 2) + "\n");
    const threads = flags.threads === undefined ? {} : { threads: flags.threads };
    return {
      model: await openLanguageModel(ortEngine, result.model, { vocabulary, ...threads }),
      facts: { plan, noiseMultiplier: result.sigma, updates: result.updates, statement },
    };
  } finally {
    ledger?.close();
  }
}

/** What was read off the records before the training, and costs privacy that nobody counted. */
function preprocessingOf(flags: Flags, start: Model | null): Preprocessing[] {
  if (start !== null) return [givenModel(flags.model!)];
  const { vocabulary = "text" } = flags;
  return [
    vocabulary === "text"
      ? { what: "the list of characters (give --vocabulary to fix it without the data)", from: "uncounted" }
      : { what: `the vocabulary (${vocabulary})`, from: "public" },
    flags.contextLength === undefined
      ? { what: "the length of the longest record (give --context-length)", from: "uncounted" }
      : { what: `the context of ${flags.contextLength} tokens`, from: "public" },
  ];
}
