import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MarauderError } from "../errors.ts";
import { kindOf } from "./cells.ts";
import { csvText, parseCsv } from "./csv.ts";
import { tableDataset, type TableOptions } from "./table.ts";

const csv = `id,age,colour,member,income,risk
a1,30,red,true,1.5,low
a2,41,blue,false,2e3,high
a3,22,red,true,-7,low
`;
const read = (text: string, options: TableOptions = {}) =>
  tableDataset(parseCsv(text, "t.csv", options), "t.csv", options);
const roles = { label: "risk", id: "id", groups: ["colour"] };

describe("csv", () => {
  it("reads quotes, line breaks in cells, CRLF, a byte-order mark and a missing last newline", () => {
    const table = parseCsv('\ufeffa,b\r\n"x, ""y""","two\r\nlines"\r\n3,', "t");
    expect(table).toEqual({
      header: ["a", "b"],
      rows: [
        ['x, "y"', "two\r\nlines"],
        ["3", ""],
      ],
    });
  });
  it.each([
    ["a;b\n1;2\n", ["a", "b"]],
    ["a\tb,c\td\n1\t2\t3\n", ["a", "b,c", "d"]],
    ["5.1,3.5,Iris\n4.9,3,Iris\n", ["c1", "c2", "c3"]],
    ["name,kind\nx,y\nz,y\n", ["name", "kind"]],
    ["red,yes\nblue,yes\nred,no\n", ["c1", "c2"]],
  ])("guesses delimiter and header of %j", (text, header) => {
    expect(parseCsv(text, "t").header).toEqual(header);
  });
  it.each([
    ["a,b\n1,2\n3\n", /line 3: 1 cells where the header names 2/],
    ['a,b\n1,"2\n3,4\n', /line 2: a quoted cell never ends/],
    ['a,b\n"1"x,2\n', /line 2: text after a closing quote/],
    ["a,a\n1,2\n", /two columns "a"/],
    ["", /no rows/],
    ['a,b\n"x\ny",2\n1,2,3\n', /line 4: 3 cells/],
  ])("refuses %j with the line", (text, message) => {
    expect(() => parseCsv(text, "t", { header: true })).toThrow(message);
  });
  it("wants one character as delimiter", () => {
    expect(() => parseCsv("a::b\n1::2\n", "t", { delimiter: "::" })).toThrow(/one character/);
  });
  it("writes what it reads: any cells come back", () => {
    const cell = fc.string({ unit: "grapheme" }).filter((s) => !/^ *"/.test(s) && s !== "\ufeff");
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1 }), (rows) => {
        const table = { header: ["p", "q"], rows };
        expect(parseCsv(csvText(table), "t", { header: true, delimiter: "," })).toEqual(table);
      }),
    );
  });
});

describe("schema", () => {
  it("infers kinds, ranges, one-hot positions, labels, groups and ids", () => {
    const data = read(csv, roles);
    expect(data.schema!.columns.map((c) => `${c.name} ${c.kind} ${c.role}`)).toEqual([
      "id category id",
      "age integer feature",
      "colour category group",
      "member boolean feature",
      "income number feature",
      "risk category label",
    ]);
    expect(data.schema!.inputs).toEqual([
      { column: "age" },
      { column: "colour", category: "blue" },
      { column: "colour", category: "red" },
      { column: "member" },
      { column: "income" },
    ]);
    expect([...data.features.data]).toEqual([30, 0, 1, 1, 1.5, 41, 1, 0, 0, 2000, 22, 0, 1, 1, -7]);
    expect([[...data.labels!], data.classNames]).toEqual([
      [1, 0, 1],
      ["high", "low"],
    ]);
    expect([data.rowIds, data.groups]).toEqual([["a1", "a2", "a3"], { colour: ["red", "blue", "red"] }]);
    expect(data.schema!.columns[1]).toMatchObject({ min: 22, max: 41 });
  });

  it("leaves ignored groups out of the inputs, but keeps their values", () => {
    const data = read(csv, { ...roles, ignore: ["colour"] });
    expect(data.features.dims).toEqual([3, 3]);
    expect(data.groups["colour"]).toEqual(["red", "blue", "red"]);
  });

  it("finds columns by name, number or as the last; whole labels keep their numbers", () => {
    expect(read(csv, { label: "last", ignore: ["1"] }).classNames).toEqual(["high", "low"]);
    const gap = read("x,y\n1,0\n2,3\n", { label: "y" });
    expect([[...gap.labels!], gap.classNames]).toEqual([
      [0, 3],
      ["0", "1", "2", "3"],
    ]);
    expect(() => read(csv, { label: "rsk" })).toThrow(/no column "rsk"; it has id, age/);
  });

  it.each([
    [["1", "0"], "boolean"],
    [["True", "no"], "boolean"],
    [["1", " 2", "?"], "integer"],
    [["1", "2.5"], "number"],
    [["1", "x"], "category"],
    [["0x10", "1"], "category"],
    [["9007199254740993", "1"], "number"],
    [["", "NA"], "category"],
  ] as const)("kind of %j is %s", (cells, kind) => {
    expect(kindOf(cells)).toBe(kind);
  });
});

describe("test data under the training schema", () => {
  const { schema } = read(csv, roles);
  it("is encoded the same, whatever the order of its columns, with or without labels", () => {
    const data = read("income,colour,member,age\n5,blue,true,99\n", { schema: schema!, header: true });
    expect([...data.features.data]).toEqual([99, 1, 0, 1, 5]);
    expect([data.labels, data.classNames]).toEqual([null, ["high", "low"]]);
  });
  it.each([
    ["a9,30,green,true,1,low", "DATA_INVALID", /row 1, column colour: the cell is "green"; expected one of.*blue, red/],
    ["a9,old,red,true,1,low", "DATA_INVALID", /column age: the cell is "old"; expected a number/],
    ["a9,30,red,maybe,1,low", "DATA_INVALID", /column member: the cell is "maybe"; expected true or false/],
    ["a9,30,red,true,1e99,low", "DATA_INVALID", /column income: the cell is "1e99"/],
    ["a9,30,red,true,1,mid", "DATA_LABELS", /row 1, column risk has label "mid"; expected one of high, low/],
  ])("refuses %s", (row, code, message) => {
    const act = () => read(`id,age,colour,member,income,risk\n${row}\n`, { schema: schema!, header: true });
    expect(act).toThrow(message);
    try {
      act();
    } catch (error) {
      expect((error as MarauderError).code).toBe(code);
    }
  });
  it("names a column that is gone, and ids that come twice", () => {
    expect(() => read("age,colour\n1,red\n", { schema: schema!, header: true })).toThrow(/no column member/);
    expect(() => read(csv.replace("a3", "a1"), roles)).toThrow(/rows 1 and 3 have the same id "a1"/);
  });
});

describe("missing cells", () => {
  const holes = "x,c,y\n1,a,0\n,b,1\n3,?,0\n9,a,1\n";
  it("are refused with row and column, unless dropping or imputing is chosen", () => {
    expect(() => read(holes, { label: "y" })).toThrow(/row 2, column x: the cell is missing \(""\).*drop or impute/);
  });
  it("dropped rows leave the ids of the others alone", () => {
    const data = read(holes, { label: "y", missing: "drop" });
    expect([data.rowIds, [...data.labels!]]).toEqual([
      ["0", "3"],
      [0, 1],
    ]);
    expect(() => read("x,z,y\n,5,1\n3,?,0\n", { label: "y", missing: "drop", header: true })).toThrow(/leaves none/);
    expect(() => read("x,z,y\n,5,1\n?,3,0\n", { label: "y", header: true })).toThrow(/column x: every cell is missing/);
  });
  it("imputes the training median and most frequent value, in test data too, and keeps the raw cells", () => {
    const train = read(holes, { label: "y", missing: "impute" });
    expect([...train.features.data]).toEqual([1, 1, 0, 3, 0, 1, 3, 1, 0, 9, 1, 0]);
    expect(train.table!.rows[1]).toEqual(["", "b", "1"]);
    const test = read("x,c,y\n,,1\n100,b,0\n", { schema: train.schema!, header: true });
    expect([...test.features.data]).toEqual([3, 1, 0, 100, 0, 1]);
  });
  it("a missing label is never imputed", () => {
    expect(() => read("x,y\n1,0\n2,\n", { label: "y", missing: "impute" })).toThrow(/row 2, column y has no label/);
  });
});

it("column names such as __proto__ and constructor are ordinary", () => {
  const data = read("__proto__,constructor,y\n1,a,0\n2,b,1\n", { label: "y", groups: ["__proto__"] });
  expect([...data.features.data]).toEqual([1, 1, 0, 2, 0, 1]);
  expect(Object.entries(data.groups)).toEqual([["__proto__", ["1", "2"]]]);
});
