import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { npyBytes } from "./npy.ts";
import { npzBytes } from "./npz.ts";
import { openDataset } from "./open.ts";
import { take } from "./subset.ts";
import { writeTable } from "./write.ts";

let folder = "";
const at = (name: string): string => join(folder, name);
const put = async (name: string, content: string | Uint8Array): Promise<string> => {
  await mkdir(join(at(name), ".."), { recursive: true });
  await writeFile(at(name), content);
  return at(name);
};
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "marauder-data-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const table = 'id,x,c,y\nr1, 1.50,"a, b",no\nr2,2,z,yes\nr3,3,z,no\n';

describe("openDataset", () => {
  it("idx.gz with its labels beside it, a shape, a scale, the first rows", async () => {
    const images = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 51, 255, 102);
    const path = await put("m/t-images-idx3-ubyte.gz", gzipSync(images));
    await put("m/t-labels-idx1-ubyte.gz", gzipSync(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 1, 0)));
    const data = await openDataset(path, { shape: [1, 1, 2], scale: { from: [0, 255], to: [-1, 1] } });
    expect(data.features.dims).toEqual([2, 1, 1, 2]);
    [-1, -0.6, 1, -0.2].forEach((v, i) => expect(data.features.data[i]).toBeCloseTo(v, 6));
    expect([[...data.labels!], data.storedAs, data.rowIds]).toEqual([[1, 0], "uint8", ["0", "1"]]);
    const first = await openDataset(path, { samples: 1 });
    expect([first.size, [...first.labels!], first.classNames]).toEqual([1, [1], ["0", "1"]]);
    await expect(openDataset(path, { shape: [3] })).rejects.toThrow(/2 values, which cannot be read as \[3\]/);
  });

  it("npz: usual keys, chosen keys, and the keys found where none fits", async () => {
    const x = { dims: [2, 2], data: Float32Array.of(1, 2, 3, 4) };
    const path = await put("a.npz", npzBytes({ images: x, y: { dims: [2], data: Int32Array.of(0, 2) } }));
    expect((await openDataset(path, { classNames: ["p", "q", "r"] })).classNames).toEqual(["p", "q", "r"]);
    await expect(openDataset(path, { classNames: ["p", "q"] })).rejects.toThrow(/row 1 has label 2; expected 0 to 1/);
    const odd = await put("b.npz", npzBytes({ foo: x, bar: { dims: [2], data: Int32Array.of(1, 0) } }));
    await expect(openDataset(odd)).rejects.toThrow(/it has foo, bar; choose with the options features and labels/);
    expect([...(await openDataset(odd, { features: "foo", labels: "bar" })).labels!]).toEqual([1, 0]);
    const short = await put("c.npz", npzBytes({ x, y: { dims: [3], data: Int32Array.of(0, 1, 0) } }));
    await expect(openDataset(short)).rejects.toThrow(/2 examples but 3 labels/);
    await expect(openDataset(short, { samples: 1 })).rejects.toThrow(/2 examples but 3 labels/);
  });

  it("npy with a labels file; NaN says where", async () => {
    const labels = await put("y.npy", npyBytes([2], BigInt64Array.of(1n, 0n)));
    const path = await put("x.npy", npyBytes([2, 2], Float64Array.of(1, 2, 3, NaN)));
    await expect(openDataset(path, { labels })).rejects.toThrow(/holds NaN in row 1.*value 1 of the row/);
    const empty = await put("e.npy", npyBytes([0, 2], new Float64Array(0)));
    await expect(openDataset(empty)).rejects.toThrow(/is empty: shape \[0, 2\]/);
  });

  it("JSON lines and parquet through DuckDB give the same data as csv", async () => {
    const json = '{"x":1.5,"c":"a","y":"no"}\n{"x":2,"c":null,"y":"yes"}\n{"x":3,"c":"z","y":"no"}\n';
    const jsonl = await put("t.jsonl", json);
    await expect(openDataset(jsonl, { label: "y" })).rejects.toThrow(/row 2, column c: the cell is missing/);
    const data = await openDataset(jsonl, { label: "y", missing: "drop" });
    expect([[...data.features.data], [...data.labels!], data.rowIds]).toEqual([
      [1.5, 1, 0, 3, 0, 1],
      [0, 0],
      ["0", "2"],
    ]);
    const { DuckDBInstance } = await import("@duckdb/node-api");
    const connection = await (await DuckDBInstance.create(":memory:")).connect();
    await connection.run(`COPY (SELECT * FROM read_json('${jsonl}')) TO '${at("it''s.parquet")}' (FORMAT parquet)`);
    connection.closeSync();
    const parquet = await openDataset(at("it's.parquet"), { label: "y", missing: "drop" });
    expect(parquet.features).toEqual(data.features);
    const cut = await put("cut.parquet", (await readFile(at("it's.parquet"))).subarray(0, 100));
    await expect(openDataset(cut)).rejects.toMatchObject({ code: "DATA_CORRUPT" });
  });

  it.each([
    ["none.csv", null, "FILE_NOT_FOUND", /does not exist/],
    ["noise.bin", "hello", "DATA_CORRUPT", /no known format/],
    ["zero.csv", "a\0b", "DATA_CORRUPT", /is not text/],
    ["latin.csv", Uint8Array.of(97, 44, 98, 10, 228, 44, 49, 10), "DATA_CORRUPT", /not UTF-8/],
    ["empty.csv", "", "DATA_INVALID", /no rows/],
    ["head.csv", "a,b\n", "DATA_INVALID", /no rows|label/],
  ])("%s: %s", async (name, content, code, message) => {
    const path = content === null ? at(name) : await put(name, content);
    const error = await openDataset(path, { header: true }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toMatch(message);
  });
  it("samples must be a count", async () => {
    await expect(openDataset(folder, { samples: 0 })).rejects.toMatchObject({ code: "OPTION_RANGE" });
  });
});

describe("folders of images", () => {
  it("a class for each sub-folder; grey and RGB, channels first and last", async () => {
    const { default: sharp } = await import("sharp");
    const png = (r: number, g: number, b: number) =>
      sharp({ create: { width: 4, height: 4, channels: 3, background: { r, g, b } } })
        .png()
        .toBuffer();
    await put("pets/cat/1.png", await png(200, 10, 30));
    await put("pets/dog/2.png", await png(0, 0, 255));
    await put("pets/dog/notes.txt", "no image");
    const rgb = await openDataset(at("pets"), { shape: [3, 2, 2] });
    expect(Array.from(rgb.features.data.slice(0, 12))).toEqual([200, 200, 200, 200, 10, 10, 10, 10, 30, 30, 30, 30]);
    expect([[...rgb.labels!], rgb.classNames, rgb.rowIds, rgb.storedAs]).toEqual([
      [0, 1],
      ["cat", "dog"],
      ["cat/1.png", "dog/2.png"],
      "uint8",
    ]);
    const last = await openDataset(at("pets"), { shape: [2, 2, 3] });
    expect(Array.from(last.features.data.slice(0, 3))).toEqual([200, 10, 30]);
    const grey = await openDataset(at("pets"), { shape: [1, 2, 2] });
    expect(grey.features.dims).toEqual([2, 1, 2, 2]);
    await expect(openDataset(at("pets"))).rejects.toThrow(/need the shape of one example/);
    await put("pets/dog/3.png", "not a png");
    await expect(openDataset(at("pets"), { shape: [1, 2, 2] })).rejects.toThrow(/3\.png cannot be read as an image/);
  });
  it("a labels.csv must not lead out of the folder, and needs its columns", async () => {
    await put("out/labels.csv", "file,class\n../secret.png,a\n");
    await expect(openDataset(at("out"), { shape: [1, 2, 2] })).rejects.toThrow(/outside the folder/);
    await put("out/labels.csv", "file,kind\nx.png,a\n");
    await expect(openDataset(at("out"), { shape: [1, 2, 2] })).rejects.toThrow(
      /no column for the class.*got file, kind/,
    );
    await mkdir(at("nothing"));
    await expect(openDataset(at("nothing"), { shape: [1, 2, 2] })).rejects.toThrow(/holds no images/);
  });
});

describe("writeTable", () => {
  it("csv: the very cells of the kept rows", async () => {
    const data = await openDataset(await put("w.csv", table), { label: "y", id: "id" });
    await writeTable(take(data, [2, 0]), at("out.csv"));
    expect(await readFile(at("out.csv"), "utf8")).toBe('id,x,c,y\nr3,3,z,no\nr1, 1.50,"a, b",no\n');
    expect((await readdir(folder)).filter((n) => n.endsWith(".tmp"))).toEqual([]);
  });
  it("npz: features, labels, ids and class names come back", async () => {
    const data = await openDataset(await put("w.csv", table), { label: "y", id: "id" });
    await writeTable(take(data, [2, 0]), at("out.npz"));
    const back = await openDataset(at("out.npz"));
    expect([back.rowIds, back.classNames, [...back.labels!]]).toEqual([
      ["r3", "r1"],
      ["no", "yes"],
      [0, 0],
    ]);
    expect([...back.features.data]).toEqual([3, 0, 1, 1.5, 1, 0]);
    await expect(writeTable(back, at("back.csv"))).rejects.toThrow(/not read from a table/);
    await expect(writeTable(back, at("back.xls"))).rejects.toThrow(/ends in .csv or .npz/);
  });
});
