import type { Rng } from "../../random/rng.ts";
import { augmentImage } from "../augment.ts";
import type { Augmentation } from "../trainer.ts";
import { tensor, type Tensor } from "../../tensor/index.ts";

/** Any typed array that rows can be copied from. */
interface Numbers {
  readonly length: number;
  set(from: Numbers, at: number): void;
  subarray(from: number, to: number): Numbers;
}

/** Some rows of a tensor, in a fresh one. */
export function gather(from: Tensor, rows: Uint32Array): Tensor {
  const width = from.data.length / from.dims[0]!;
  const data = from.data as unknown as Numbers;
  const out = new (data.constructor as new (length: number) => Numbers)(rows.length * width);
  rows.forEach((row, k) => out.set(data.subarray(row * width, (row + 1) * width), k * width));
  return tensor(from.dtype, [rows.length, ...from.dims.slice(1)], out as never);
}

/** `copies` views of each row, one after another, each changed by the generator's child of the row and the copy. */
export function views(from: Tensor, rows: Uint32Array, copies: number, augment: Augmentation | null, rng: Rng): Tensor {
  const repeated = Uint32Array.from({ length: rows.length * copies }, (_, i) => rows[Math.floor(i / copies)]!);
  if (augment === null) return gather(from, repeated);
  const shape = from.dims.slice(1) as [number, number, number];
  const width = shape[0] * shape[1] * shape[2];
  const out = new Float32Array(repeated.length * width);
  repeated.forEach((row, i) => {
    const own = rng.child(row).child(i % copies);
    augmentImage(from.data as Float32Array, row * width, out, i * width, shape, augment, own);
  });
  return tensor("float32", [repeated.length, ...shape], out);
}
