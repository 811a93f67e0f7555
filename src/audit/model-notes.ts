import { z } from "zod";
import type { Schema } from "../data/dataset.ts";
import { MarauderError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import type { Arch } from "../train/trainer.ts";

/**
 * What `marauder train` writes into a model's metadata so that later commands need no flags: the input range, the names of
 * the classes, how a table's columns become inputs. Written by others too, so read as untrusted.
 */
export interface ModelNotes {
  readonly bounds?: readonly [number, number] | undefined;
  readonly classNames?: readonly string[] | undefined;
  readonly label?: string | undefined;
  readonly arch?: Arch | undefined;
  readonly schema?: Schema | undefined;
}

const column = z.object({
  name: z.string(),
  kind: z.enum(["number", "integer", "boolean", "category"]),
  min: z.number().optional(),
  max: z.number().optional(),
  categories: z.array(z.string()).optional(),
  fill: z.string().optional(),
  role: z.enum(["feature", "label", "group", "id", "ignored"]),
});
const notes = z.object({
  bounds: z.tuple([z.number(), z.number()]).optional(),
  classNames: z.array(z.string()).max(100_000).optional(),
  label: z.string().optional(),
  arch: z.enum(["logistic", "mlp", "cnn", "resnet"]).optional(),
  schema: z
    .object({
      columns: z.array(column),
      inputs: z.array(z.object({ column: z.string(), category: z.string().optional() })),
    })
    .optional(),
});

const KEY = "marauder.notes";

/** The notes in a model's metadata; an empty object when there are none. Throws MODEL_CORRUPT when they do not parse. */
export function notesOf(model: Model): ModelNotes {
  const text = Object.hasOwn(model.metadata, KEY) ? model.metadata[KEY]! : null;
  if (text === null) return {};
  try {
    return notes.parse(JSON.parse(text)) as ModelNotes;
  } catch (error) {
    throw new MarauderError(
      "MODEL_CORRUPT",
      `the model's metadata entry ${KEY} is damaged; remove it or train the model again`,
      {
        cause: error,
      },
    );
  }
}

export const withNotes = (model: Model, value: ModelNotes): Model => ({
  ...model,
  metadata: { ...model.metadata, [KEY]: JSON.stringify(value) },
});
