import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { operatorLists } from "../../src/grad/index.ts";

/** Made by test/vectors/onnx-operators.py from the specification's own package. */
const spec = JSON.parse(readFileSync(new URL("../vectors/onnx-operators.json", import.meta.url), "utf8")) as {
  operators: string[];
  newer: Record<string, number>;
};
const { rule, zero, decomposed, refused } = operatorLists;
const listed = [...rule, ...zero, ...decomposed, ...Object.keys(refused)];

test("the four lists are disjoint", () => {
  expect(listed.filter((op, i) => listed.indexOf(op) !== i)).toEqual([]);
});

test("the four lists hold every operator of the default domain, and no other", () => {
  expect(spec.operators.length).toBeGreaterThan(190);
  const all = [...spec.operators, ...Object.keys(spec.newer)];
  expect(all.filter((op) => !listed.includes(op))).toEqual([]);
  expect(listed.filter((op) => !all.includes(op))).toEqual([]);
});
