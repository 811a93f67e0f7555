import { describe, expect, it } from "vitest";
import { seeded } from "../random/index.ts";
import { float32 } from "../tensor/index.ts";
import { parseCsv } from "./csv.ts";
import { concat, split, take, withFeatures, withLabels } from "./subset.ts";
import { tableDataset } from "./table.ts";

const rows = Array.from({ length: 40 }, (_, i) => `r${i},${i},${i % 4 === 0 ? "few" : "many"},${i < 10 ? "a" : "b"}`);
const text = `id,x,g,y\n${rows.join("\n")}\n`;
const data = tableDataset(parseCsv(text, "t"), "t", { label: "y", id: "id", groups: ["g"], ignore: ["g"] });

describe("subsets", () => {
  it("take keeps id, label, group, features and cells of each row together, in the order asked", () => {
    const some = take(data, [39, 4, 0]);
    expect(some.size).toBe(3);
    expect(some.rowIds).toEqual(["r39", "r4", "r0"]);
    expect([...some.features.data]).toEqual([39, 4, 0]);
    expect([...some.labels!]).toEqual([1, 0, 0]);
    expect(some.groups).toEqual({ g: ["many", "few", "few"] });
    expect(some.table!.rows.map((row) => row[0])).toEqual(["r39", "r4", "r0"]);
    expect(some.schema).toBe(data.schema);
    expect(() => take(data, [40])).toThrow(/row 40.*0 to 39/);
  });

  it("split is a partition by class in the given shares, the same for the same seed", () => {
    const [a, b, c] = split(data, [0.5, 0.3, 0.2], seeded(1)) as [typeof data, typeof data, typeof data];
    expect([a.size, b.size, c.size]).toEqual([20, 12, 8]);
    expect([a, b, c].map((d) => d.labels!.filter((y) => y === 0).length)).toEqual([5, 3, 2]);
    expect(new Set([...a.rowIds, ...b.rowIds, ...c.rowIds]).size).toBe(40);
    expect(split(data, [0.5, 0.3, 0.2], seeded(1))[1]!.rowIds).toEqual(b.rowIds);
    expect(split(data, [0.5, 0.3, 0.2], seeded(2))[1]!.rowIds).not.toEqual(b.rowIds);
    expect(split(data, [0.25], seeded(1))[0]!.size).toBe(11); // 2.5 of ten and 7.5 of thirty, each rounded up
    expect(() => split(data, [0.7, 0.4], seeded(1))).toThrow(/at most 1/);
  });

  it("concat is the inverse of a cut, and refuses rows that are there already", () => {
    const front = take(
      data,
      Array.from({ length: 15 }, (_, i) => i),
    );
    const back = take(
      data,
      Array.from({ length: 25 }, (_, i) => i + 15),
    );
    expect(concat(front, back)).toEqual(data);
    expect(() => concat(front, front)).toThrow(/same id "r0"/);
    expect(() => concat(front, withFeatures(back, float32([25, 2])))).toThrow(/examples of \[1\] and \[2\]/);
    expect(() => concat(front, withLabels(back, new Int32Array(25), ["z"]))).toThrow(/same classes/);
  });

  it("withLabels and withFeatures check what they are given", () => {
    const flipped = withLabels(
      data,
      data.labels!.map((y) => 1 - y),
    );
    expect(flipped.labels![0]).toBe(1);
    expect(data.labels![0]).toBe(0);
    expect([flipped.table!.rows[0], data.table!.rows[0]]).toEqual([
      ["r0", "0", "few", "b"],
      ["r0", "0", "few", "a"],
    ]);
    expect(withLabels(data, data.labels!.slice()).table).toEqual(data.table);
    expect(withFeatures(data, data.features).table).toBeNull();
    expect(() => withLabels(data, new Int32Array(3))).toThrow(/40 examples but 3 labels/);
    expect(() => withLabels(data, new Int32Array(40).fill(2))).toThrow(/row 0 has label 2; expected 0 to 1/);
    expect(() => withFeatures(data, float32([3, 1]))).toThrow(/40 rows, got features for 3/);
  });
});
