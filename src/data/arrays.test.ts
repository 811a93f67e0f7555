import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { MarauderError } from "../errors.ts";
import { toFloat32, toLabels, type NumberArray } from "./arrays.ts";
import { gunzipIfNeeded, labelsBeside, parseIdx } from "./idx.ts";
import { npyBytes, parseNpy } from "./npy.ts";
import { npzBytes, openNpz } from "./npz.ts";

const vectors = JSON.parse(readFileSync(new URL("../../test/vectors/npy.json", import.meta.url), "utf8")) as Record<
  string,
  string
>;
const made = (name: string): Uint8Array => new Uint8Array(Buffer.from(vectors[name]!, "base64"));
const numbers = (array: { data: ArrayLike<number | bigint | string> }): number[] => Array.from(array.data, Number);

describe("npy files that numpy wrote", () => {
  for (const type of ["u1", "i1", "<u2", ">i2", "<i4", ">u4", "<i8", "<u8", "<f2", "<f4", ">f8"]) {
    it(`reads ${type}`, () => {
      const array = parseNpy(made(type), "a.npy");
      expect(array.dims).toEqual([2, 3]);
      expect(numbers(array)).toEqual([0, 1, 2, 3, 100, 127]);
    });
  }
  it("reads booleans, Fortran order, scalars and text", () => {
    expect(numbers(parseNpy(made("?"), "a"))).toEqual([0, 1, 1, 1, 1, 1]);
    const fortran = parseNpy(made("fortran"), "a");
    expect(fortran.dims).toEqual([2, 3, 4]);
    expect(numbers(fortran)).toEqual(Array.from({ length: 24 }, (_, i) => i));
    expect(parseNpy(made("scalar"), "a")).toMatchObject({ dims: [], data: Float32Array.of(2.5) });
    expect(parseNpy(made("names"), "a").data).toEqual(["cat", "žluť", "🐱"]);
  });
  it("refuses pickles, records and complex numbers, and says why", () => {
    expect(() => parseNpy(made("object"), "a.npy")).toThrow(/object array.*may run code/);
    expect(() => parseNpy(made("record"), "a.npy")).toThrow(/record array/);
    expect(() => parseNpy(made("complex"), "a.npy")).toThrow(/of type <c8/);
  });
  it("reads a compressed npz and names the keys when one is missing", () => {
    const npz = openNpz(made("npz"), "a.npz");
    expect(npz.keys).toEqual(["X", "labels"]);
    expect(numbers(npz.array("X"))).toEqual([0, 1, 2, 3, 4, 5]);
    expect([...toLabels(npz.array("labels") as NumberArray, "a")]).toEqual([2, 0, 1]);
    expect(() => npz.array("y")).toThrow(/it has X, labels/);
  });
});

describe("hostile and damaged arrays", () => {
  const whole = { npy: made("<f4"), npz: made("npz"), idx: Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9) };
  const parse = { npy: parseNpy, npz: (b: Uint8Array, p: string) => openNpz(b, p).array("X"), idx: parseIdx };

  for (const kind of ["npy", "npz", "idx"] as const) {
    it(`${kind}: every truncation is a MarauderError, never a crash`, () => {
      for (let n = 0; n < whole[kind].length; n++) {
        expect(() => parse[kind](whole[kind].slice(0, n), "cut"), `${n} bytes`).toThrow(MarauderError);
      }
    });
    it(`${kind}: flipped bytes give an answer or a MarauderError`, () => {
      const at = fc.integer({ min: 0, max: whole[kind].length - 1 });
      fc.assert(
        fc.property(
          fc.array(fc.tuple(at, fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
          (flips) => {
            const bytes = whole[kind].slice();
            for (const [i, v] of flips) bytes[i] = v;
            try {
              parse[kind](bytes, "flipped");
            } catch (error) {
              expect(error).toBeInstanceOf(MarauderError);
            }
          },
        ),
        { numRuns: 2000, seed: 1 },
      );
    });
  }

  it("dims that multiply to the sky allocate nothing", () => {
    const giant = Uint8Array.of(0, 0, 14, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255);
    expect(() => parseIdx(giant, "giant")).toThrow(/truncated or not what its header says/);
    const npy = Buffer.from(npyBytes([1], Uint8Array.of(1)))
      .toString("latin1")
      .replace("(1,)", "(99999999999999999999, 9)");
    expect(() => parseNpy(new Uint8Array(Buffer.from(npy, "latin1")), "giant")).toThrow(MarauderError);
  });

  it("bytes after the array are damage, a gzip that unpacks beyond its means is refused", () => {
    expect(() => parseIdx(Uint8Array.of(...whole.idx, 1), "long")).toThrow(/1 bytes after its array/);
    const cut = gzipSync(whole.idx).subarray(0, 20);
    expect(() => gunzipIfNeeded(cut, "cut.gz")).toThrow(/cannot be unpacked as gzip/);
    expect(gunzipIfNeeded(gzipSync(whole.idx), "a.gz")).toEqual(Buffer.from(whole.idx));
  });

  it("a zip entry that claims a giant size is refused before unpacking", () => {
    const zip = zipSync({ "x.npy": npyBytes([4], new Float32Array(4)) });
    const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
    const central = Buffer.from(zip).indexOf("PK\x01\x02", 0, "latin1");
    view.setUint32(central + 24, 0xfffffff0, true);
    expect(() => openNpz(zip, "bomb.npz")).toThrow(/zip bomb/);
  });
});

describe("labels and values", () => {
  const of = (dims: number[], data: NumberArray["data"]): NumberArray => ({ dims, dtype: "x", data });
  it("takes vectors, columns and one-hot rows", () => {
    expect([...toLabels(of([2], Float32Array.of(1, 0)), "y")]).toEqual([1, 0]);
    expect([...toLabels(of([2, 1], BigInt64Array.of(3n, 0n)), "y")]).toEqual([3, 0]);
    expect([...toLabels(of([2, 3], Uint8Array.of(0, 0, 1, 1, 0, 0)), "y")]).toEqual([2, 0]);
  });
  it.each([
    [[2], Float32Array.of(1, 0.5), /row 1 has label 0.5/],
    [[2], Int32Array.of(-1, 0), /row 0 has label -1/],
    [[2], Float32Array.of(0, NaN), /row 1 has label NaN/],
    [[1, 3], Uint8Array.of(1, 0, 1), /not one-hot/],
    [[1, 2, 2], new Uint8Array(4), /shape \[1, 2, 2\]/],
  ] as const)("refuses %s %s", (dims, data, message) => {
    expect(() => toLabels(of([...dims], data), "y")).toThrow(message);
  });
  it("says where a double is beyond float32", () => {
    expect(() => toFloat32(of([2], Float64Array.of(1, 1e300)), "x.npy")).toThrow(/1e\+300 at position 1/);
  });
  it("finds the labels beside the images", () => {
    expect(labelsBeside("/a/t10k-images-idx3-ubyte.gz")).toBe("/a/t10k-labels-idx1-ubyte.gz");
    expect(labelsBeside("/a/train-images.idx3-ubyte")).toBe("/a/train-labels.idx1-ubyte");
    expect(labelsBeside("/a/x.idx")).toBeNull();
  });
});

describe("writing", () => {
  it("npz round trip of every type, the same bytes each time", () => {
    const arrays = {
      a: { dims: [2, 2], data: Float32Array.of(1, -2.5, 3, 0) },
      b: { dims: [3], data: BigInt64Array.of(1n, -(2n ** 60n), 3n) },
      c: { dims: [2], data: ["x", "ñ🐱"] },
      d: { dims: [0, 4], data: new Uint8Array(0) },
    };
    const bytes = npzBytes(arrays);
    expect(npzBytes(arrays)).toEqual(bytes);
    const npz = openNpz(bytes, "a");
    for (const [key, { dims, data }] of Object.entries(arrays)) expect(npz.array(key)).toMatchObject({ dims, data });
  });
});
