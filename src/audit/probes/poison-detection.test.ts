import { expect, test } from "vitest";
import { gaussianData } from "../../../test/support/gaussian-data.ts";
import { tinyTrainer } from "../../../test/support/tiny-trainer.ts";
import type { RunContext } from "../../context.ts";
import { defaultsOf } from "../../options.ts";
import { seeded } from "../../random/index.ts";
import type { AuditSubject } from "../probe.ts";
import { poisonDetectionProbe } from "./poison-detection.ts";
import { sanitizationProbe } from "./sanitization.ts";

const context = (): RunContext => ({ rng: seeded(3), signal: new AbortController().signal, step: () => undefined });
const train = gaussianData(seeded(1), 900, 6, 3, 6);
const subject: AuditSubject = {
  id: "s",
  target: null,
  model: null,
  bounds: { low: -10, high: 10 },
  test: gaussianData(seeded(2), 900, 6, 3, 6),
  train,
  arch: "logistic",
  members: null,
  nonMembers: null,
  trainer: tinyTrainer,
  triggered: null,
  language: null,
};

test("clean data: nothing found; planted flips: found by neighbours, and random rows and a perfect filter stand beside", async () => {
  const e = await poisonDetectionProbe.run(context(), subject, defaultsOf(poisonDetectionProbe.options));
  expect(e.asGiven.map((d) => d.flagged)).toEqual([0, 0]);
  const flips = e.planted[1]!;
  expect(flips.planted).toBe(45);
  const by = (name: string) => flips.rows.find((r) => r.by === name)!;
  expect(flips.rows.map((r) => r.by).toSorted()).toEqual([
    "exactly the planted rows",
    "knn-label-agreement",
    "nothing removed",
    "random rows",
    "spectral-signatures",
  ]);
  expect(by("knn-label-agreement").recall!.value).toBeGreaterThan(0.8);
  expect(by("knn-label-agreement").falseRemoval!.value).toBeLessThan(0.01);
  expect(by("exactly the planted rows")).toMatchObject({
    removed: 45,
    recall: { value: 1 },
    falseRemoval: { value: 0 },
  });
  expect(by("random rows").recall!.value).toBeLessThan(0.2);
  expect(by("nothing removed")).toMatchObject({ removed: 0, recall: null });
  expect(JSON.parse(JSON.stringify(e))).toEqual(e);
});

test("flipped labels in the training data as given are found, by id", async () => {
  const bad = new Set(Array.from({ length: 45 }, (_, i) => i * 20));
  const labels = train.labels!.map((y, i) => (bad.has(i) ? (y + 1 + (i % 40) / 20) % 3 : y));
  const options = { ...defaultsOf(poisonDetectionProbe.options), plant: false };
  const e = await poisonDetectionProbe.run(context(), { ...subject, train: { ...train, labels } }, options);
  const ids = new Set(e.asGiven.flatMap((d) => d.rows.map((r) => r.id)));
  expect([...bad].filter((i) => ids.has(`r${i}`)).length).toBeGreaterThan(36);
  expect(e.planted).toEqual([]);
});

test("sanitization of clean data removes nothing; without training data the probes say what is missing", async () => {
  const e = await sanitizationProbe.run(context(), subject, defaultsOf(sanitizationProbe.options));
  expect(e.audit).toMatchObject({ removed: 0, verdict: "even" });
  expect(sanitizationProbe.applies({ ...subject, train: null }, defaultsOf(sanitizationProbe.options))).toContain(
    "--train",
  );
  expect(poisonDetectionProbe.applies({ ...subject, train: null }, defaultsOf(poisonDetectionProbe.options))).toContain(
    "--train",
  );
});
