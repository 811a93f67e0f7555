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
