import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { MarauderError } from "../errors.ts";
import { systemReason } from "../files.ts";
import { assemble, type Scale } from "./assemble.ts";
import { isNumber, sortedValues } from "./cells.ts";
import { parseCsv } from "./csv.ts";
import type { Dataset } from "./dataset.ts";

export interface ImageOptions {
  /** Shape of one example: [C, H, W] or [H, W, C], C being 1 (grey) or 3 (RGB). */
  readonly shape?: readonly number[] | undefined;
  /** The column of labels.csv that holds the class; "class" or "label" when absent. */
  readonly label?: string;
  readonly classNames?: readonly string[] | undefined;
  readonly samples?: number;
  readonly scale?: Scale | undefined;
}

const isImage = (name: string): boolean => /\.(png|jpe?g|webp|gif|tiff?|bmp)$/i.test(name) && !name.startsWith(".");

/**
 * Reads a folder of images: one sub-folder for each class, or a labels.csv with a column of file names beside the images.
 * Images are scaled to cover the shape and cut at the centre; values are 0 to 255. Row ids are the paths in the folder.
 * Throws DATA_INVALID, DATA_CORRUPT (which image), DATA_LABELS and FILE_NOT_FOUND.
 */
export async function readImageFolder(path: string, options: ImageOptions = {}): Promise<Dataset> {
  const listing = existsSync(join(path, "labels.csv")) ? await byTable(path, options.label) : await byFolder(path);
  const found = listing.slice(0, options.samples);
  if (found.length === 0) {
    throw new MarauderError(
      "DATA_INVALID",
      `${path} holds no images; expected a sub-folder of images for each class, or images and a labels.csv`,
    );
  }
  const layout = layoutOf(options.shape, path);
  const width = layout.height * layout.width * layout.channels;
  const values = new Float32Array(found.length * width);
  const { default: sharp } = await import("sharp");
  for (const [i, { file }] of found.entries()) {
    try {
      let image = sharp(join(path, file), { failOn: "error" }).rotate().flatten({ background: "#000" });
      image = layout.channels === 1 ? image.toColourspace("b-w") : image.toColourspace("srgb");
      const { data, info } = await image
        .resize(layout.width, layout.height, { fit: "cover" })
        .raw()
        .toBuffer({ resolveWithObject: true });
      place(values.subarray(i * width, (i + 1) * width), data, info.channels, layout);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new MarauderError(
        "DATA_CORRUPT",
        `${join(path, file)} cannot be read as an image (${reason}); remove or replace it`,
        { cause: error },
      );
    }
  }
  const classes = classesFor(
    found.flatMap((f) => f.label ?? []),
    options.classNames,
  );
  const places = new Map(classes.map((name, i) => [name, i]));
  const labels = found.some((f) => f.label === null)
    ? null
    : Int32Array.from(found, (f) => places.get(f.label!) ?? refuse(f.file, f.label!, classes));
  const dims = layout.last
    ? [layout.height, layout.width, layout.channels]
    : [layout.channels, layout.height, layout.width];
  return assemble({
    name: path,
    dims: [found.length, ...dims],
    values,
    labels,
    classNames: labels === null ? [] : (options.classNames ?? classes),
    rowIds: found.map((f) => f.file),
    storedAs: "uint8",
    scale: options.scale,
  });
}

interface Found {
  readonly file: string;
  readonly label: string | null;
}

async function byFolder(path: string): Promise<Found[]> {
  const list = async (folder: string) => {
    try {
      return (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (error) {
      throw new MarauderError(
        "FILE_NOT_FOUND",
        `cannot read the folder ${folder}: ${systemReason(error)}; check the path`,
        { cause: error },
      );
    }
  };
  const entries = await list(path);
  const folders = entries.filter((e) => e.isDirectory() && !e.name.startsWith("."));
  const out: Found[] = [];
  for (const { name } of folders) {
    for (const e of await list(join(path, name)))
      if (e.isFile() && isImage(e.name)) out.push({ file: `${name}/${e.name}`, label: name });
  }
  if (out.length > 0) return out;
  return entries.filter((e) => e.isFile() && isImage(e.name)).map((e) => ({ file: e.name, label: null }));
}

async function byTable(path: string, wanted: string | undefined): Promise<Found[]> {
  const file = join(path, "labels.csv");
  const table = parseCsv(await readFile(file, "utf8"), file, { header: true });
  const column = (names: readonly string[], what: string): number => {
    const j = table.header.findIndex((name) => names.includes(name.toLowerCase()));
    if (j >= 0) return j;
    throw new MarauderError(
      "DATA_LABELS",
      `${file} has no column for the ${what}; expected ${names.join(" or ")}, got ${table.header.join(", ")}`,
    );
  };
  const names = column(["file", "filename", "image", "path"], "file names");
  const label = column(wanted === undefined ? ["class", "label"] : [wanted.toLowerCase()], "class (option label)");
  return table.rows.map((row) => {
    const name = row[names]!.trim();
    if (name.startsWith("/") || name.split(/[\\/]/).includes("..")) {
      throw new MarauderError(
        "DATA_INVALID",
        `${file} names ${JSON.stringify(name)}, which lies outside the folder; expected names of files in it`,
      );
    }
    return { file: name, label: row[label]!.trim() };
  });
}

/** Labels that are whole numbers are class numbers; others are names, in alphabetical order. */
function classesFor(labels: readonly string[], given: readonly string[] | undefined): readonly string[] {
  const values = sortedValues(labels);
  const numbers = values.length > 0 && values.every((v) => isNumber(v) && /^\d{1,6}$/.test(v));
  if (!numbers) return given ?? values;
  const count = given?.length ?? Number(values.at(-1)) + 1;
  return Array.from({ length: count }, (_, i) => String(i));
}

function refuse(file: string, label: string, classes: readonly string[]): never {
  throw new MarauderError(
    "DATA_LABELS",
    `${file} has class ${JSON.stringify(label)}; expected one of ${classes.slice(0, 20).join(", ")}`,
  );
}

interface Layout {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly last: boolean;
}

function layoutOf(shape: readonly number[] | undefined, path: string): Layout {
  const [a, b, c] = shape ?? [];
  const sane = shape?.length === 3 && shape.every((d) => Number.isInteger(d) && d >= 1 && d <= 8192);
  if (sane && (a === 1 || a === 3)) return { channels: a, height: b!, width: c!, last: false };
  if (sane && (c === 1 || c === 3)) return { channels: c, height: a!, width: b!, last: true };
  throw new MarauderError(
    "SHAPE_MISMATCH",
    `images of ${path} need the shape of one example, [channels, height, width] with 1 or 3 channels; got ${shape === undefined ? "none" : `[${shape.join(", ")}]`}; give the model's input shape`,
  );
}

function place(out: Float32Array, pixels: Uint8Array, there: number, { height, width, channels, last }: Layout): void {
  for (let p = 0; p < height * width; p++) {
    for (let c = 0; c < channels; c++) {
      out[last ? p * channels + c : c * height * width + p] = pixels[p * there + Math.min(c, there - 1)]!;
    }
  }
}
