import { describe, expect, it } from "vitest";
import type { Dataset } from "../data/index.ts";
import { float32 } from "../tensor/index.ts";
import { fit } from "./fit-data.ts";

const dataset = (dims: readonly number[], values: readonly number[], more: Partial<Dataset> = {}): Dataset => ({
  name: "d",
  size: dims[0]!,
  features: float32(dims, values),
  labels: null,
  classNames: [],
  rowIds: Array.from({ length: dims[0]! }, (_, i) => `r${i}`),
  groups: {},
  storedAs: "float32",
  schema: null,
  table: null,
  ...more,
});
const wide = { low: 0, high: 100 };
const fitted = (data: Dataset, how: Partial<Parameters<typeof fit>[1]> = {}) => {
  const said: string[] = [];
  const { features } = fit(data, { shape: null, bounds: wide, transpose: false, ...how }, said);
  return { dims: features.dims, values: [...features.data], said };
};

describe("fitting data to a model", () => {
  it("adds and drops axes of size one, silently", () => {
    expect(fitted(dataset([1, 2, 2], [1, 2, 3, 4]), { shape: [1, 2, 2] })).toEqual({
      dims: [1, 1, 2, 2],
      values: [1, 2, 3, 4],
      said: [],
    });
  });

  it("moves channels first, and says so", () => {
    // height 2, width 2, channels 3; value = 10 * pixel + channel
    const values = [0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32];
    const { dims, values: got, said } = fitted(dataset([1, 2, 2, 3], values), { shape: [3, 2, 2] });
    expect(dims).toEqual([1, 3, 2, 2]);
    expect(got).toEqual([0, 10, 20, 30, 1, 11, 21, 31, 2, 12, 22, 32]);
    expect(said).toEqual([expect.stringMatching(/channels were moved first/)]);
  });

  it("transposes the last two axes, of flat squares too, and refuses what has none", () => {
    expect(fitted(dataset([2, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), { transpose: true }).values).toEqual([
      1, 4, 2, 5, 3, 6, 7, 10, 8, 11, 9, 12,
    ]);
    expect(fitted(dataset([1, 4], [1, 2, 3, 4]), { shape: [4, 1], transpose: true }).values).toEqual([1, 3, 2, 4]);
    expect(() => fitted(dataset([1, 5], [1, 2, 3, 4, 5]), { transpose: true })).toThrow(/--transpose needs/);
  });

  it("scales bytes to the bounds, and floats not at all", () => {
    const bytes = dataset([1, 3], [0, 51, 255], { storedAs: "uint8" });
    expect(fitted(bytes, { bounds: { low: -1, high: 1 } }).values.map((v) => +v.toFixed(6))).toEqual([-1, -0.6, 1]);
    expect(fitted(bytes, { bounds: { low: 0, high: 255 } })).toMatchObject({ values: [0, 51, 255], said: [] });
    expect(fitted(dataset([1, 2], [0, 0.5])).values).toEqual([0, 0.5]);
  });

  it("names the row and the value outside the bounds, and the shape that does not fit", () => {
    expect(() => fitted(dataset([2, 2], [1, 2, 3, 101]))).toThrow(
      /value 101 in row r1, outside the bounds 0 to 100; give .*--bounds/,
    );
    expect(() => fitted(dataset([1, 3], [1, 2, 3]), { shape: [4] })).toThrow(/shape \[3\]; expected \[4\]/);
  });
});
