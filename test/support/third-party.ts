import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import sharp from "sharp";
import { decodeModel, validate } from "../../src/ir/index.ts";
import type { Model } from "../../src/ir/index.ts";
import { shared } from "./shared-data.ts";

export interface Examples {
  readonly values: Float32Array;
  readonly labels: Int32Array;
  readonly each: number;
}

/** The first n MNIST test images, 0 to 1, rows of 784. */
export function mnistTest(n: number): Examples {
  const images = gunzipSync(readFileSync(shared("mnist/t10k-images-idx3-ubyte.gz"))).subarray(16);
  const labels = gunzipSync(readFileSync(shared("mnist/t10k-labels-idx1-ubyte.gz"))).subarray(8);
  const values = Float32Array.from(images.subarray(0, n * 784), (v) => Math.fround(v / 255));
  return { values, labels: Int32Array.from(labels.subarray(0, n)), each: 784 };
}

/** The first n of 1,000 CIFAR-10 test images, 0 to 1, channels first. */
export async function cifarTest(n: number): Promise<Examples> {
  const raw = await sharp(shared("cifar10/cifar10_batch_50.png")).removeAlpha().raw().toBuffer();
  const text = readFileSync(shared("cifar10/cifar10_labels.js"), "utf8");
  const all = text
    .slice(text.indexOf("[") + 1, text.indexOf("]"))
    .split(",")
    .map(Number);
  const values = new Float32Array(n * 3072);
  for (let i = 0; i < n; i++) {
    for (let p = 0; p < 1024; p++) {
      for (let c = 0; c < 3; c++) values[i * 3072 + c * 1024 + p] = raw[(i * 1024 + p) * 3 + c]! / 255;
    }
  }
  return { values, labels: Int32Array.from(all.slice(50_000, 50_000 + n)), each: 3072 };
}

/** iris.csv: four numbers and one of three names. */
export function iris(): Examples {
  const names: string[] = [];
  const rows = readFileSync(shared("tabular/iris.csv"), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.trim().split(","));
  const data = rows.filter((r) => r.length === 5 && Number.isFinite(Number(r[0])));
  const labels = data.map((r) => (names.includes(r[4]!) ? names.indexOf(r[4]!) : names.push(r[4]!) - 1));
  const values = Float32Array.from(data.flatMap((r) => r.slice(0, 4).map(Number)));
  return { values, labels: Int32Array.from(labels), each: 4 };
}

const archives = new Map<string, Map<string, Buffer>>();

/** The files of a .tar.gz, by path. Names longer than 100 bytes are not needed here. */
export function untar(path: string): Map<string, Buffer> {
  const known = archives.get(path);
  if (known !== undefined) return known;
  const tar = gunzipSync(readFileSync(shared(path)));
  const files = new Map<string, Buffer>();
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0;) {
    const field = (from: number, size: number): string =>
      tar.toString("utf8", at + from, at + from + size).split("\0")[0]!;
    const size = Number.parseInt(field(124, 12), 8);
    const prefix = field(345, 155);
    const name = (prefix === "" ? "" : `${prefix}/`) + field(0, 100);
    if (field(156, 1) === "0" || field(156, 1) === "") files.set(name, tar.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  archives.set(path, files);
  return files;
}

/** A third-party model: a path, or `archive.tar.gz!path inside`. */
export function thirdParty(path: string): Model {
  const [file, inside] = path.split("!") as [string, string | undefined];
  let bytes: Buffer | undefined = inside === undefined ? readFileSync(shared(file)) : untar(file).get(inside);
  if (bytes === undefined) throw new Error(`${file} has no ${inside}`);
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = gunzipSync(bytes);
  return validate(decodeModel(bytes));
}
