import { expect, test } from "vitest";
import { seeded } from "../../random/index.ts";
import { makeAnimals } from "./animals.ts";
import { makeTransactions } from "./transactions.ts";

const columns = (table: { header: readonly string[]; rows: readonly (readonly string[])[] }) => (name: string) =>
  table.rows.map((row) => row[table.header.indexOf(name)]!);

test("animals: of all that give milk only the duck-billed platypus lays eggs, and all others that lay none give milk", () => {
  const animals = makeAnimals();
  const [name, milk, eggs] = ["animal", "milk", "eggs"].map(columns(animals)) as [string[], string[], string[]];
  expect(name.filter((_, i) => milk[i] === "1" && eggs[i] === "yes")).toEqual(["duck-billed platypus"]);
  expect(name.filter((_, i) => milk[i] === "0" && eggs[i] === "no")).toEqual([]);
  expect(new Set(name).size).toBe(name.length);
  expect(name.length).toBeGreaterThanOrEqual(100);
  expect(animals.rows.every((row) => row.length === animals.header.length)).toBe(true);
});

test("animals: the label is no trait, and every trait that is named exists", () => {
  const { header, rows } = makeAnimals();
  const of = columns(makeAnimals());
  expect(header.filter((c) => c === "eggs")).toHaveLength(1);
  for (const trait of header.slice(2, -2)) expect(new Set(of(trait)), trait).toEqual(new Set(["0", "1"]));
  expect(new Set(of("legs"))).toEqual(new Set(["0", "2", "4", "6", "8"]));
  expect(rows.find((r) => r[0] === "duck-billed platypus")![header.indexOf("venomous")]).toBe("1");
});

test("transactions: 2 to 4 % fraud, the smallest group about 8 %, mixed types, and hours of a day", () => {
  const of = columns(makeTransactions(8000, seeded(1)));
  const share = (name: string, value: string): number => of(name).filter((v) => v === value).length / 8000;
  expect(share("fraud", "yes")).toBeGreaterThan(0.02);
  expect(share("fraud", "yes")).toBeLessThan(0.04);
  expect(Math.abs(share("region", "islands") - 0.08)).toBeLessThan(0.015);
  expect(of("amount").every((v) => Number(v) >= 0.5)).toBe(true);
  expect(of("hour").every((v) => Number.isInteger(Number(v)) && Number(v) >= 0 && Number(v) <= 23)).toBe(true);
  expect(new Set(of("id")).size).toBe(8000);
});

test("transactions: fraud is as common on the islands as elsewhere, though its customers look more like thieves", () => {
  const of = columns(makeTransactions(20_000, seeded(2)));
  const [region, fraud, amount] = [of("region"), of("fraud"), of("amount").map(Number)];
  const rows = (islands: boolean): number[] => [...region.keys()].filter((i) => (region[i] === "islands") === islands);
  const rate = (of: number[]): number => of.filter((i) => fraud[i] === "yes").length / of.length;
  expect(Math.abs(rate(rows(true)) - rate(rows(false)))).toBeLessThan(0.02);
  const median = (of: number[]): number =>
    of
      .filter((i) => fraud[i] === "no")
      .map((i) => amount[i]!)
      .toSorted((a, b) => a - b)[Math.floor(of.length / 2) - 200]!;
  expect(median(rows(true))).toBeGreaterThan(2 * median(rows(false).slice(0, rows(true).length)));
});

test("transactions: the first rows do not depend on how many there are; seeds differ", () => {
  const long = makeTransactions(50, seeded(3)).rows;
  expect(makeTransactions(20, seeded(3)).rows).toEqual(long.slice(0, 20));
  expect(makeTransactions(20, seeded(4)).rows).not.toEqual(long.slice(0, 20));
});
