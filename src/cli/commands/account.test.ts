import { describe, expect, test } from "vitest";
import { runCommand } from "../../../test/support/run-command.ts";
import { addAccount } from "./account.ts";
import { addCalibrate } from "./calibrate.ts";

const run = (line: string): Promise<string> =>
  runCommand((main) => {
    addAccount(main);
    addCalibrate(main);
  }, line.split(" "));

const mnist = "--rate 256/60000 --sigma 1.1 --steps 14062 --delta 1e-5";

test("the account as JSON", async () => {
  const out = JSON.parse(await run(`account ${mnist} --json`)) as Record<string, unknown> & {
    epsilon: Record<string, number>;
  };
  expect(out).toMatchObject({ delta: 1e-5, adjacency: "add-or-remove", sampler: "poisson", order: 8.1 });
  for (const [name, value] of Object.entries({
    rdp: 2.596556,
    pld: 2.381686,
    gdpEstimate: 2.324269,
    oldConversion: 3.0083,
  }))
    expect(out.epsilon[name]).toBeCloseTo(value, 4);
});

test.each([
  ["--sampler shuffle", { pld: 54.04582 }],
  ["--sampler none", { pld: 54.04582 }],
  ["--sampler fixed-size", { rdp: 5.243254 }],
  ["--sampler truncated --cap 350", { pld: 2.381692 }],
  ["--adjacency replace-one", { pld: 4.221358 }],
  ["--adjacency zero-out", { pld: 2.381686 }],
])("%s", async (flags, expected) => {
  const out = JSON.parse(await run(`account ${mnist} ${flags} --json`)) as { epsilon: Record<string, number> };
  for (const [name, value] of Object.entries(expected)) expect(Math.abs(out.epsilon[name]! - value)).toBeLessThan(1e-5);
});

test("no noise is infinite, and JSON says so", async () => {
  expect(JSON.parse(await run("account --rate 0.01 --sigma 0 --steps 10 --delta 1e-5 --json"))).toMatchObject({
    epsilon: { rdp: "Infinity", pld: "Infinity" },
    order: null,
  });
});

test("words: guarantee, estimate, what shuffling would give", async () => {
  const text = await run(`account ${mnist}`);
  expect(text).toMatch(/2\.381686 {2}guarantee/);
  expect(text).toMatch(/2\.324269 {2}estimate only/);
  expect(text).toMatch(/one epoch alone costs at least 2\.98/);
});

describe("refusals", () => {
  test.each([
    ["account --rate 1.5 --sigma 1 --steps 10 --delta 1e-5", /sampling rate from 0 to 1/],
    ["account --rate 0.1 --sigma -1 --steps 10 --delta 1e-5", /noise from 0/],
    ["account --rate 256/60000 --sigma 1 --steps 10 --delta 1e-4", /not below 1\/60000/],
    ["account --rate 0.1 --sigma 1 --steps 10 --delta 1.5", /between 0 and 1/],
    ["account --rate 0.1 --sigma 1 --delta 1e-5", /needs --steps/],
    ["account --rate 0.1 --sigma 1 --steps 10 --delta 1e-5 --sampler truncated", /needs --cap/],
    ["account --rate 0.1 --sigma 1 --steps 10 --delta 1e-5 --sampler fixed-size", /needs the number of records/],
    ["calibrate --epsilon 1 --rate 0.1 --sigma 1 --steps 10 --delta 1e-5", /leave it out/],
    ["calibrate --epsilon 1 --rate 0.1 --delta 1e-5", /needs --steps/],
  ])("%s", async (line, message) => {
    await expect(run(line)).rejects.toThrow(message);
  });
});

test("calibrate prints what keeps the target", async () => {
  const flags = "--rate 256/60000 --steps 14062 --delta 1e-5 --accountant rdp --json";
  const out = JSON.parse(await run(`calibrate --for sigma --epsilon 3 ${flags}`)) as { sigma: number; epsilon: number };
  expect(out.sigma).toBeCloseTo(1.014, 3);
  expect(out.epsilon).toBeLessThanOrEqual(3);
});
