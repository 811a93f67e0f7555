import { describe, expect, test } from "vitest";
import { datasetOf } from "../../test/support/gaussian-data.ts";
import type { Model } from "../ir/index.ts";
import type { TrainedModel } from "../train/index.ts";
import { notesOf, withNotes } from "./model-notes.ts";
import { annotated, asImages, countCorrect } from "./train-model.ts";

const empty = { metadata: {} } as Model;

describe("asImages", () => {
  test("a channel axis is added, or moved first: pixel (r, c) of channel k stays where it is seen", () => {
    const flat = datasetOf(
      Float32Array.from({ length: 2 * 35 }, (_, i) => i),
      [0, 1],
      [5, 7],
      2,
    );
    expect(asImages(flat).features.dims).toEqual([2, 1, 5, 7]);
    expect(asImages(flat).features.data).toEqual(flat.features.data);
    const colour = datasetOf(
      Float32Array.from({ length: 2 * 105 }, (_, i) => i),
      [0, 1],
      [5, 7, 3],
      2,
    );
    const moved = asImages(colour).features;
    expect(moved.dims).toEqual([2, 3, 5, 7]);
    for (const [i, r, c, k] of [
      [0, 0, 0, 0],
      [1, 4, 6, 2],
      [1, 2, 3, 1],
    ] as const)
      expect(moved.data[((i * 3 + k) * 5 + r) * 7 + c]).toBe(colour.features.data[((i * 5 + r) * 7 + c) * 3 + k]);
  });
  test("what has channels first already, or is no image, is left alone", () => {
    const first = datasetOf(new Float32Array(105), [0], [3, 5, 7], 1);
    expect(asImages(first)).toBe(first);
    const row = datasetOf(new Float32Array(4), [0], [4], 1);
    expect(asImages(row)).toBe(row);
  });
});

test("countCorrect takes the largest logit, the first of equals, and needs labels", async () => {
  const logits = Float32Array.of(2, 1, 0, 3, 5, 5);
  const trained = { classes: 2, logits: async () => logits } as unknown as TrainedModel;
  const data = datasetOf(new Float32Array(3), [0, 0, 0], [1], 2);
  expect(await countCorrect(trained, data)).toBe(2);
  await expect(countCorrect(trained, { ...data, labels: null })).rejects.toMatchObject({ code: "DATA_LABELS" });
});

describe("notes of a model", () => {
  test("what training writes is read again: classes, architecture, bounds", () => {
    const data = { ...datasetOf(Float32Array.of(0, 255, 3, 7), [0, 1], [2], 2), storedAs: "uint8" as const };
    const model = annotated({ model: empty } as TrainedModel, data, "mlp");
    expect(notesOf(model)).toMatchObject({ arch: "mlp", classNames: ["class 0", "class 1"], bounds: [0, 255] });
    expect(empty.metadata).toEqual({});
  });
  test("none are no notes, and inherited keys are not read", () => {
    expect(notesOf(empty)).toEqual({});
    const inherited = { metadata: Object.create({ "marauder.notes": "{}[" }) } as Model;
    expect(notesOf(inherited)).toEqual({});
  });
  test.each([
    ["no JSON", "{"],
    ["bounds of the wrong length", '{"bounds":[1]}'],
    ["an unknown architecture", '{"arch":"transformer"}'],
    ["class names that are no text", '{"classNames":[1]}'],
    ["a column of an unknown kind", '{"schema":{"columns":[{"name":"a","kind":"x","role":"feature"}],"inputs":[]}}'],
  ])("%s: MODEL_CORRUPT", (_what, text) => {
    const model = { ...withNotes(empty, {}), metadata: { "marauder.notes": text } };
    expect(() => notesOf(model)).toThrow(expect.objectContaining({ code: "MODEL_CORRUPT" }));
  });
});
