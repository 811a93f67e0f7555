import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as special from "./special.ts";

type Rows = readonly (readonly number[])[];
const file = new URL("../../test/vectors/special.json", import.meta.url);
const functions = special as unknown as Readonly<Record<string, (...x: readonly number[]) => number>>;
const vectors = JSON.parse(readFileSync(file, "utf8")) as Record<string, Rows>;

describe("special functions against mpmath with 50 digits", () => {
  for (const [name, rows] of Object.entries(vectors)) {
    if (name === "made") continue;
    it(name, () => {
      const f = functions[name]!;
      expect(rows.length).toBeGreaterThan(8);
      for (const row of rows) {
        const want = row.at(-1)!;
        const got = f(...row.slice(0, -1));
        const error = want === 0 ? Math.abs(got) : Math.abs(got / want - 1);
        expect(error, `${name}(${row.slice(0, -1).join(", ")}) = ${want}, got ${got}`).toBeLessThan(1e-13);
      }
    });
  }

  it("give NaN for what is undefined and the limits at the ends", () => {
    expect(special.lgamma(-1)).toBeNaN();
    expect(special.lgamma(0)).toBe(Infinity);
    expect(special.betaCdf(0.5, 0, 1)).toBeNaN();
    expect(special.betaCdf(NaN, 1, 1)).toBeNaN();
    expect([special.betaCdf(-1, 2, 3), special.betaCdf(2, 2, 3)]).toEqual([0, 1]);
    expect([special.betaQuantile(0, 2, 3), special.betaQuantile(1, 2, 3)]).toEqual([0, 1]);
    expect([special.chiSquareTail(0, 3), special.chiSquareTail(Infinity, 3)]).toEqual([1, 0]);
    expect([special.erf(Infinity), special.erfc(Infinity), special.erfc(-Infinity)]).toEqual([1, 0, 2]);
    expect(special.erf(NaN)).toBeNaN();
    expect(special.logNormalCdf(-1e200)).toBe(-Infinity);
  });
});
