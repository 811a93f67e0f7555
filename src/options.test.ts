import { describe, expect, it } from "vitest";
import type { OptionTable } from "./contract/describe.ts";
import { defaultsOf, parseNumber, resolveOptions } from "./options.ts";

const table: OptionTable = {
  n: { type: "int", default: 3, min: 1, max: 9, doc: "" },
  f: { type: "float", default: 0.5, doc: "" },
  b: { type: "boolean", default: false, doc: "" },
  c: { type: "choice", default: "x", choices: ["x", "y"], doc: "" },
  t: { type: "text", default: "", doc: "" },
};
const resolve = (given: Record<string, unknown>) => resolveOptions(table, given, "it");

describe("options", () => {
  it("fills in defaults and takes strings for what they mean", () => {
    expect(resolve({})).toEqual(defaultsOf(table));
    expect(resolve({ n: "9", f: " 8/255 ", b: "true", c: "y", t: "7" })).toEqual({
      n: 9,
      f: 8 / 255,
      b: true,
      c: "y",
      t: "7",
    });
    expect(resolve({ n: undefined })).toEqual(defaultsOf(table));
  });

  it.each([
    [{ n: 0 }, /option n of it must be a whole number from 1 to 9, got 0/],
    [{ n: 1.5 }, /whole number/],
    [{ n: "" }, /whole number/],
    [{ n: "1e9" }, /from 1 to 9/],
    [{ n: [3] }, /whole number/],
    [{ n: null }, /whole number/],
    [{ f: Infinity }, /a number/],
    [{ f: "1/0" }, /a number/],
    [{ f: "1/2/3" }, /a number/],
    [{ b: 1 }, /true or false/],
    [{ c: "z" }, /one of x, y/],
    [{ t: 3 }, /text/],
  ])("refuses %j", (given, says) => {
    expect(() => resolve(given)).toThrow(says);
    expect(() => resolve(given)).toThrow(expect.objectContaining({ code: "OPTION_RANGE" }));
  });

  it.each(["m", "toString", "constructor"])("knows no option %s", (name) => {
    expect(() => resolve({ [name]: 1 })).toThrow(expect.objectContaining({ code: "OPTION_UNKNOWN" }));
    expect(() => resolve(JSON.parse('{"__proto__": 1}') as Record<string, unknown>)).toThrow(/no option "__proto__"/);
  });

  it("reads numbers and fractions", () => {
    expect(["2", "1/4", "", "a", "/2", "1/"].map(parseNumber)).toEqual([2, 0.25, NaN, NaN, NaN, NaN]);
  });
});
