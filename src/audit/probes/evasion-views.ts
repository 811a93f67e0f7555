import { askOne, type Examples } from "../../attacks/evasion/examples.ts";
import type { DiffDetail, ImagesDetail, Picture } from "../../contract/index.ts";
import type { Dataset } from "../../data/dataset.ts";
import type { Target } from "../../target/target.ts";
import type { WorstCase } from "./evasion-worst-case.ts";

export interface Views {
  readonly target: Target;
  readonly test: Dataset;
  readonly examples: Examples;
  readonly worst: WorstCase;
  /** Examples to show, as positions in `examples`. */
  readonly witnesses: readonly number[];
  readonly nameOf: (label: number) => string;
}

/** How the features of one row make a picture: size, and the distance in the row between channels, rows and columns. */
interface Frame {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly strides: readonly [number, number, number];
}

/** [1 or 3, h, w], [h, w, 1 or 3], [h, w], or a square number of at least 64 features; null for all else. */
export function pictureFrame(shape: readonly number[]): Frame | null {
  const axes = shape.filter((size, k) => !(size === 1 && shape.length > 3 && k === 0));
  const isDepth = (size: number | undefined): size is 1 | 3 => size === 1 || size === 3;
  if (axes.length === 3 && isDepth(axes[0]) && axes[1]! > 3 && axes[2]! > 3) {
    return { channels: axes[0], height: axes[1]!, width: axes[2]!, strides: [axes[1]! * axes[2]!, axes[2]!, 1] };
  }
  if (axes.length === 3 && isDepth(axes[2]) && axes[0]! > 3 && axes[1]! > 3) {
    return { channels: axes[2], height: axes[0]!, width: axes[1]!, strides: [1, axes[1]! * axes[2], axes[2]] };
  }
  const long = axes.filter((size) => size > 1);
  if (long.length === 2) return { channels: 1, height: long[0]!, width: long[1]!, strides: [0, long[1]!, 1] };
  const side = long.length === 1 ? Math.round(Math.sqrt(long[0]!)) : 0;
  return side >= 8 && side * side === long[0]
    ? { channels: 1, height: side, width: side, strides: [0, side, 1] }
    : null;
}

/** Values between `low` and `high` as a picture; larger ones are cut off. */
export function pictureOf(values: Float32Array, frame: Frame, low: number, high: number): Picture {
  const { width, height, channels, strides } = frame;
  const pixels = new Uint8Array(width * height * channels);
  let at = 0;
  for (let h = 0; h < height; h++) {
    for (let w = 0; w < width; w++) {
      for (let c = 0; c < channels; c++) {
        const v = values[c * strides[0] + h * strides[1] + w * strides[2]]!;
        pixels[at++] = Math.round((255 * (Math.min(Math.max(v, low), high) - low)) / (high - low));
      }
    }
  }
  return { width, height, channels, pixels: Buffer.from(pixels).toString("base64") };
}

/** Original, change (grey is none, amplified to fill the scale) and adversarial, with what the model says of both. */
export async function picturesOf(views: Views): Promise<ImagesDetail["rows"]> {
  const { target, test, examples, worst, nameOf } = views;
  const frame = test.schema === null ? pictureFrame(target.inputShape) : null;
  if (frame === null) return [];
  const { d, raw, ids } = examples;
  const { low, high } = target.bounds;
  const rows: ImagesDetail["rows"][number][] = [];
  for (const i of views.witnesses) {
    const before = raw.slice(i * d, (i + 1) * d);
    const after = worst.found.slice(i * d, (i + 1) * d);
    const change = after.map((v, j) => v - before[j]!);
    const largest = change.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const factor = Math.max(1, Math.round((high - low) / 2 / largest));
    const title = async (input: Float32Array, label: number): Promise<string> => {
      const said = await askOne(target, input, ids[i]!);
      return said.scores === null ? nameOf(label) : `${nameOf(label)}, ${percent(softmaxOf(said.scores, label))}`;
    };
    rows.push({
      id: ids[i]!,
      cells: [
        {
          title: await title(before, examples.predicted[i]!),
          note: "original",
          picture: pictureOf(before, frame, low, high),
        },
        {
          title: `change x ${factor}`,
          note: `largest ${Number(largest.toPrecision(3))}`,
          picture: pictureOf(
            change.map((v) => factor * v),
            frame,
            -(high - low) / 2,
            (high - low) / 2,
          ),
        },
        {
          title: await title(after, worst.adversarial[i]!),
          note: "adversarial",
          picture: pictureOf(after, frame, low, high),
        },
      ],
    });
  }
  return rows;
}

const percent = (p: number): string => `${p > 0.995 ? "> 99" : Math.round(100 * p)} %`;

function softmaxOf(scores: Float32Array, label: number): number {
  const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  let sum = 0;
  for (const z of scores) sum += Math.exp(z - top);
  return Math.exp(scores[label]! - top) / sum;
}

/** The columns of a table that an attack changed, with the numbers before and after. */
export function changesOf(views: Views): DiffDetail["rows"] {
  const { test, examples, worst, nameOf } = views;
  if (test.schema === null) return [];
  const { d, raw, ids, predicted } = examples;
  return views.witnesses.map((i) => ({
    id: ids[i]!,
    before: nameOf(predicted[i]!),
    after: nameOf(worst.adversarial[i]!),
    changes: test.schema!.inputs.flatMap((input, j) => {
      const [from, to] = [raw[i * d + j]!, worst.found[i * d + j]!];
      return from === to ? [] : [{ column: input.column, from: short(from), to: short(to) }];
    }),
  }));
}

const short = (v: number): string => String(Number(v.toPrecision(5)));
