import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { npzBytes } from "../../src/data/index.ts";
import { encodeModel, GraphBuilder } from "../../src/ir/index.ts";
import { seeded } from "../../src/random/index.ts";
import { float32 } from "../../src/tensor/index.ts";
import { modelOf } from "./run-graph.ts";

const SIDE = 8;
const CLASSES = 3;
const PIXELS = SIDE * SIDE;

/** Where class c is bright: a band of rows. */
const inBand = (pixel: number, c: number): boolean => Math.floor(pixel / SIDE / 2) === c;

/** Images of 8 x 8 values from 0 to 1 in three classes (which band of rows is bright), and their labels. */
export function tinyImages(rows: number, seed = 1): { x: Float32Array; y: Int32Array } {
  const x = new Float32Array(rows * PIXELS);
  const y = Int32Array.from({ length: rows }, (_, i) => i % CLASSES);
  const rng = seeded(seed).child("tiny");
  for (let i = 0; i < rows; i++) {
    for (let p = 0; p < PIXELS; p++) {
      const level = inBand(p, y[i]!) ? 0.6 : 0.45;
      x[i * PIXELS + p] = Math.min(1, Math.max(0, level + 0.1 * rng.normal()));
    }
  }
  return { x, y };
}

/** A linear classifier of those images, input [N, 1, 8, 8], as an ONNX file. */
export function tinyModel(): Uint8Array {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", ["N", 1, SIDE, SIDE]);
  const weights = Float32Array.from({ length: PIXELS * CLASSES }, (_, k) => {
    const [pixel, c] = [Math.floor(k / CLASSES), k % CLASSES];
    return inBand(pixel, c) ? 1 : -0.2;
  });
  const flat = b.op("Flatten", [x]);
  const logits = b.op("MatMul", [flat, b.constant(float32([PIXELS, CLASSES], weights), "w")]);
  b.output(logits, "float32", ["N", CLASSES], "logits");
  return encodeModel(modelOf({ ...b.build(), name: "tiny" }));
}

/** A table of two numbers and a category; the label follows the first number. */
export function tinyTable(rows: number, seed = 2): string {
  const rng = seeded(seed).child("table");
  const lines = Array.from({ length: rows }, (_, i) => {
    const yes = i % 2 === 0;
    const a = (yes ? 2 : -2) + rng.normal();
    return `${i},${a.toFixed(3)},${rng.normal().toFixed(3)},${rng.int(2) === 0 ? "north" : "south"},${yes ? "yes" : "no"}`;
  });
  return ["id,a,b,region,bought", ...lines].join("\n") + "\n";
}

export const npzOf = (x: Float32Array, y: Int32Array | null, shape: readonly number[] = [SIDE, SIDE]): Uint8Array =>
  npzBytes({
    x: { dims: [x.length / shape.reduce((a, b) => a * b, 1), ...shape], data: x },
    ...(y !== null && { y: { dims: [y.length], data: y } }),
  });

/** Writes a model, data and a zoo of broken files into `folder`; returns a function that names one of them. */
export function writeTinyFiles(folder: string): (name: string) => string {
  mkdirSync(join(folder, "folder"), { recursive: true });
  const at = (name: string): string => join(folder, name);
  const put = (name: string, content: Uint8Array | string): void => writeFileSync(at(name), content);
  const model = tinyModel();
  const { x, y } = tinyImages(60);
  const spoilt = (value: number): Float32Array => Float32Array.from(x, (v, i) => (i === 70 ? value : v));
  put("model.onnx", model);
  put("test.npz", npzOf(x, y));
  const train = tinyImages(90, 7);
  put("train.npz", npzOf(train.x, train.y));
  put("table.csv", tinyTable(120));
  put("table-train.csv", tinyTable(200, 3));
  put("unlabelled.npz", npzOf(x, null));
  put("nan.npz", npzOf(spoilt(NaN), y));
  put("inf.npz", npzOf(spoilt(Infinity), y));
  put("far.npz", npzOf(spoilt(3), y));
  put(
    "labels-9.npz",
    npzOf(
      x,
      Int32Array.from(y, (v, i) => (i === 5 ? 9 : v)),
    ),
  );
  put(
    "labels-negative.npz",
    npzOf(
      x,
      Int32Array.from(y, (v, i) => (i === 5 ? -1 : v)),
    ),
  );
  put(
    "wide.npz",
    npzOf(
      x,
      Int32Array.from({ length: 30 }, (_, i) => i % 3),
      [SIDE, 2 * SIDE],
    ),
  );
  put("empty.onnx", "");
  put("text.onnx", "this is no model\n".repeat(20));
  put("cut.onnx", model.subarray(0, Math.floor(model.length / 2)));
  put("empty.npz", "");
  put("empty.csv", "");
  put("text.npz", "this is no archive\n");
  put("no-rows.csv", "id,a,b,region,bought\n");
  return at;
}
