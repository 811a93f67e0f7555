import { describe, expect, test } from "vitest";
import { tinyTrainer } from "../../../test/support/tiny-trainer.ts";
import { drawDigits, take, type Dataset } from "../../data/index.ts";
import { runContext } from "../../context.ts";
import { defaultsOf } from "../../options.ts";
import * as dp from "../../privacy/index.ts";
import { seeded } from "../../random/index.ts";
import { float32 } from "../../tensor/index.ts";
import { partition, pate, type PateSubject } from "./pate.ts";

/** Digits 0 and 1 alone, 7 x 7, in 0 .. 1: learned from a handful of rows. */
function twoDigits(count: number, seed: number): Dataset {
  const all = drawDigits(6 * count, seeded(seed), { prefix: `${seed}-`, slop: 0.3 });
  const rows = [...all.labels!.keys()].filter((i) => all.labels![i]! < 2).slice(0, count);
  const kept = take(all, rows);
  const small = new Float32Array(count * 49);
  for (let i = 0; i < count; i++)
    for (let y = 0; y < 28; y++)
      for (let x = 0; x < 28; x++)
        small[i * 49 + (y >> 2) * 7 + (x >> 2)]! += kept.features.data[i * 784 + y * 28 + x]! / 4080;
  return { ...kept, features: float32([count, 49], small), classNames: ["zero", "one"] };
}
const data = twoDigits(400, 1);
const publicData = twoDigits(150, 2);
const test_ = twoDigits(200, 3);
const options = { ...defaultsOf(pate.options), teachers: 20, threshold: 14, thresholdSigma: 4, sigma: 3 };
const source = (seed: number): dp.mechanisms.NoiseSource => dp.mechanisms.seededSource(seeded(seed));
const run = (more: Partial<PateSubject> = {}, given: Partial<typeof options> = {}) =>
  pate.apply(
    runContext({ seed: 4 }),
    { data, publicData, trainer: tinyTrainer, train: {}, source: source(5), ...more },
    { ...options, ...given },
  );
async function accuracy(result: Awaited<ReturnType<typeof run>>): Promise<number> {
  const logits = await result.student.logits(test_);
  let right = 0;
  for (let i = 0; i < test_.size; i++)
    right += Number(Number(logits[2 * i + 1]! > logits[2 * i]!) === test_.labels![i]);
  return right / test_.size;
}

test("teachers vote, a student learns from the answers, and the account is that of the questions", async () => {
  const result = await run();
  expect(result.answers).toHaveLength(150);
  expect(result.answers.filter((a) => a !== null).length).toBeGreaterThan(100);
  expect(await accuracy(result)).toBeGreaterThan(0.97);
  expect(result.stopped).toBe(false);
  // Each question has as many votes as there are teachers.
  for (const { votes } of result.questions) expect(votes.reduce((a, b) => a + b)).toBe(20);
  // Seeded noise is worth nothing, and the event says so; the same run from the system's source is accounted.
  expect(result.noise).toMatch(/NOT PRIVATE/);
  expect(dp.account(result.event, "add-or-remove", 1e-5).epsilon.rdp).toBeNull();
  const real = await run({ source: dp.mechanisms.secureSource() });
  const answered = real.answers.filter((a) => a !== null).length;
  const { values } = dp.rdpOf(real.event, "add-or-remove", [2]);
  const ideal = 150 * dp.thresholdRdpAnyData(4, 2) + answered * dp.gnmaxRdpAnyData(3, 2);
  expect(values[0]!).toBeGreaterThanOrEqual(ideal);
  expect(values[0]!).toBeLessThan(ideal * (1 + 1e-6));
  // On these votes it costs less than on any data, and never more.
  expect(dp.epsilonFromRdp(real.dataCurve, 1e-5).epsilon).toBeLessThan(
    dp.epsilonFromRdp(dp.rdpOf(real.event, "add-or-remove"), 1e-5).epsilon,
  );
});

test("a row more or less changes one teacher, and one vote of each question", async () => {
  const parts = partition(data, 20, seeded(4));
  expect(parts.flat().toSorted((a, b) => a - b)).toEqual([...Array(400).keys()]);
  const less = take(
    data,
    [...Array(400).keys()].filter((i) => i !== 7),
  );
  const without = partition(less, 20, seeded(4));
  const ids = (d: Dataset, p: readonly number[]): string => p.map((i) => d.rowIds[i]).join();
  expect(parts.filter((p, t) => ids(data, p) !== ids(less, without[t]!))).toHaveLength(1);
  const [a, b] = [await run(), await run({ data: less })];
  for (const [i, { votes }] of a.questions.entries()) {
    const moved = votes.reduce((sum, v, k) => sum + (v - b.questions[i]!.votes[k]!) ** 2, 0);
    expect(moved).toBeLessThanOrEqual(2); // the sensitivity that the noise is made for: sqrt(2)
  }
});

describe("a budget", () => {
  test("ends the questions before it is overdrawn", async () => {
    const filter = dp.privacyFilter({ epsilon: 4, delta: 1e-5, adjacency: "add-or-remove" });
    const result = await run({ source: dp.mechanisms.secureSource(), charge: (e) => filter.spend(e) });
    expect(result.stopped).toBe(true);
    expect(result.answers.length).toBeLessThan(150);
    expect(filter.epsilon).toBeLessThanOrEqual(4);
    const { epsilon } = dp.epsilonFromRdp(dp.rdpOf(result.event, "add-or-remove"), 1e-5);
    expect(epsilon).toBeLessThanOrEqual(filter.epsilon + 1e-9);
    expect(epsilon).toBeGreaterThan(3);
  });

  test("refuses seeded noise", async () => {
    const filter = dp.privacyFilter({ epsilon: 4, delta: 1e-5, adjacency: "add-or-remove" });
    await expect(run({ charge: (e) => filter.spend(e) })).rejects.toThrow(/NOT PRIVATE.*nothing was spent/);
  });
});

describe("refusals, and teachers that know nothing", () => {
  test("too few answers", async () => {
    await expect(run({}, { threshold: 1000 })).rejects.toThrow(/answered 0 of 150 questions.*lower the threshold/);
  });
  test("rows of another shape, data without labels", async () => {
    const other = { ...publicData, features: float32([150, 7], new Float32Array(1050)) };
    await expect(run({ publicData: other })).rejects.toThrow(/public rows have shape \[7\], the private ones \[49\]/);
    await expect(run({ data: { ...data, labels: null } })).rejects.toThrow(/teachers learn from labelled rows/);
  });
  test("more teachers than rows: empty ones vote for the first class", async () => {
    const few = take(data, [...Array(10).keys()]);
    const result = await run({ data: few }, { teachers: 40, threshold: 0 });
    expect(result.questions.every(({ votes }) => votes[0]! >= 30)).toBe(true);
  });
});
