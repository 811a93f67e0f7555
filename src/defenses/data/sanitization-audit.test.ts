import { describe, expect, test } from "vitest";
import { gaussianData } from "../../../test/support/gaussian-data.ts";
import { tinyTrainer } from "../../../test/support/tiny-trainer.ts";
import type { RunContext } from "../../context.ts";
import { seeded } from "../../random/index.ts";
import { auditSanitization, type Removal } from "./sanitization-audit.ts";
import { placeboRows, sanitize } from "./sanitize.ts";

const context = (seed: number): RunContext => ({
  rng: seeded(seed),
  signal: new AbortController().signal,
  step: () => undefined,
});

/** n rows of two classes in turn; group B is the rows for which `isB` holds, and rows for which `gone` holds are removed. */
function removal(n: number, isB: (i: number) => boolean, gone: (i: number) => boolean): Removal {
  const rows = Array.from({ length: n }, (_, i) => i);
  const features = new Float32Array(n * 2);
  seeded(1).fillNormal(features);
  rows.forEach((i) => {
    if (isB(i)) features[i * 2]! += 3;
  });
  return {
    removed: Uint8Array.from(rows, (i) => (gone(i) ? 1 : 0)),
    labels: Int32Array.from(rows, (i) => i % 2),
    classNames: ["no", "yes"],
    groups: { origin: rows.map((i) => (isB(i) ? "B" : "A")) },
    features,
    columns: ["income", "age"],
    retrained: null,
  };
}

describe("sanitization audit", () => {
  test("a group that loses all its rows: uneven, with the numbers of the table by hand", () => {
    const isB = (i: number): boolean => i % 20 < 2; // 10 %, half in each class
    const audit = auditSanitization(
      removal(2000, isB, (i) => isB(i) || i % 20 === 7),
      seeded(1),
    );
    const b = audit.groups.find((g) => g.value === "B")!;
    expect(b).toMatchObject({ column: "origin", rows: 200, removed: 200, verdict: "uneven" });
    expect(b.rate.value).toBe(1);
    expect(b.ratio!.value).toBeCloseTo(1 / (100 / 1800), 12);
    // Within class no: 100 of 100 against 0 of 900; within yes: 100 of 100 against 100 of 900.
    expect(b.ratioWithinClass!.value).toBeCloseTo((90 + 90) / 10, 10);
    expect(b.adjusted).toBeLessThan(1e-50);
    expect(audit.verdict).toBe("uneven");
    expect(audit.why).toContain("origin B");
    expect(audit.smallestSupport).toEqual({ name: "origin B", left: 0, of: 200 });
    expect(audit.shift[0]!.column).toBe("income");
    expect(audit.shift[0]!.smd).toBeLessThan(-0.1);
    const origin = audit.association.find((a) => a.column === "origin")!;
    expect(origin.cramersV).toBeGreaterThan(0.6);
    expect(origin.degrees).toBe(1);
  });

  test("a class that loses a third of its rows is uneven, one that loses a tenth is not", () => {
    // No group is hit more than another: every row of class yes has the same chance.
    const verdictAt = (every: number) =>
      auditSanitization(
        removal(
          3000,
          (i) => i % 20 < 2,
          (i) => i % 2 === 1 && Math.floor(i / 2) % every === 0,
        ),
        seeded(1),
      );
    const third = verdictAt(3);
    expect(third.verdict).toBe("uneven");
    expect(third.why).toContain("class yes loses 33 % of its 1500 rows");
    expect(verdictAt(11).why).not.toContain("loses");
  });

  test("random removal: even over seeds, and never called uneven", () => {
    let even = 0;
    for (let seed = 0; seed < 40; seed++) {
      const gone = new Set(seeded(seed).choose(4000, 400));
      const { verdict } = auditSanitization(
        removal(
          4000,
          (i) => i % 4 === 0,
          (i) => gone.has(i),
        ),
        seeded(1),
      );
      expect(verdict).not.toBe("uneven");
      if (verdict === "even") even++;
    }
    expect(even).toBe(40);
  });

  test("removal of one class's rows does not accuse the group that sits in that class (Simpson)", () => {
    // B is mostly class yes; one in five of the class's rows go, whoever they are.
    const isB = (i: number): boolean => (i % 2 === 1 ? i % 10 < 8 : i % 20 === 0);
    const audit = auditSanitization(
      removal(4000, isB, (i) => i % 2 === 1 && i % 7 === 0),
      seeded(1),
    );
    const b = audit.groups.find((g) => g.value === "B")!;
    expect(b.ratio!.low).toBeGreaterThan(1.25);
    expect(b.ratioWithinClass!.value).toBeCloseTo(1, 1);
    expect(b.verdict).not.toBe("uneven");
    expect(audit.verdict).not.toBe("uneven");
  });

  test("a group of five rows: not enough data, whatever happened to it", () => {
    const audit = auditSanitization(
      removal(
        1000,
        (i) => i < 5,
        (i) => i === 0 || i % 50 === 9,
      ),
      seeded(1),
    );
    expect(audit.groups.find((g) => g.value === "B")!.verdict).toBe("not enough data");
    expect(audit.verdict).toBe("not enough data");
  });

  test("nothing removed is even; the mix of classes stays", () => {
    const audit = auditSanitization(
      removal(
        100,
        (i) => i < 50,
        () => false,
      ),
      seeded(1),
    );
    expect(audit).toMatchObject({
      removed: 0,
      verdict: "even",
      shift: [],
      classPrior: { totalVariation: 0, expMinusKl: 1 },
    });
  });

  test("class prior by hand: half of class yes removed", () => {
    const audit = auditSanitization(
      removal(
        400,
        () => false,
        (i) => i % 4 === 1,
      ),
      seeded(1),
    );
    expect(audit.classPrior.totalVariation).toBeCloseTo(2 / 3 - 1 / 2, 12);
    expect(audit.groups.map((g) => [g.value, g.verdict])).toEqual([
      ["no", "even"],
      ["yes", "uneven"],
      ["A", "not enough data"],
    ]);
    const kl = (2 / 3) * Math.log(4 / 3) + (1 / 3) * Math.log(2 / 3);
    expect(audit.classPrior.expMinusKl).toBeCloseTo(Math.exp(-kl), 12);
  });

  test("even removal that costs a group its accuracy is uneven; the placebo stands beside it", () => {
    const base = removal(
      2000,
      (i) => i % 4 === 0,
      (i) => i % 10 === 3,
    );
    const n = 400;
    const rows = Array.from({ length: n }, (_, i) => i);
    const retrained = {
      labels: Int32Array.from(rows, (i) => i % 2),
      groups: { origin: rows.map((i) => (i % 4 === 0 ? "B" : "A")) },
      original: rows.map(() => 1),
      sanitized: rows.map((i) => (i % 4 === 0 && i % 8 === 0 ? 0 : 1)),
      placebo: rows.map(() => 1),
    };
    const audit = auditSanitization({ ...base, retrained }, seeded(1));
    const b = audit.groups.find((g) => g.value === "B")!;
    expect(b.accuracyChange!.value).toBeCloseTo(-0.5, 12);
    expect(b.placeboChange!.value).toBe(0);
    expect(b.verdict).toBe("uneven");
    expect(audit.verdict).toBe("uneven");
    expect(audit.accuracy).toMatchObject({ original: 1, placebo: 1, testRows: 400 });
    expect(audit.accuracy!.sanitized).toBeCloseTo(0.875, 12);
  });

  test("numbers that do not fit together are refused", () => {
    const base = removal(
      10,
      () => false,
      () => false,
    );
    expect(() => auditSanitization({ ...base, labels: new Int32Array(9) }, seeded(1))).toThrow(/10 rows got 9 labels/);
    expect(() => auditSanitization({ ...base, groups: { g: ["a"] } }, seeded(1))).toThrow(/1 values of group g/);
  });
});

describe("sanitize", () => {
  const data = gaussianData(seeded(1), 600, 4, 3, 6);
  const reference = gaussianData(seeded(2), 300, 4, 3, 6);
  const flipped = new Set(Array.from({ length: 40 }, (_, i) => i * 15));
  const poisoned = {
    ...data,
    labels: data.labels!.map((y, i) => (flipped.has(i) ? (y + 1 + (i % 2)) % 3 : y)),
    groups: { half: data.rowIds.map((_, i) => (i < 300 ? "first" : "second")) },
  };

  test("removes flipped rows, keeps ids, audits, and retrains for accuracy", async () => {
    const s = await sanitize(
      poisoned,
      { detector: "knn-label-agreement", action: "remove", reference, trainer: tinyTrainer },
      context(3),
    );
    const rows = s.removed.map((r) => r.row);
    expect(rows.filter((r) => flipped.has(r)).length).toBeGreaterThanOrEqual(36);
    expect(rows.filter((r) => !flipped.has(r)).length).toBeLessThanOrEqual(3);
    expect(s.kept.size).toBe(600 - rows.length);
    expect(s.kept.rowIds).toEqual(data.rowIds.filter((_, i) => !rows.includes(i)));
    expect(s.audit.accuracy!.sanitized).toBeGreaterThan(0.95);
    expect(s.audit.groups.map((g) => g.column)).toEqual(["class", "class", "class", "half", "half"]);
    expect(s.exitCode).toBe(0);
    expect(JSON.parse(JSON.stringify(s.audit))).toEqual(s.audit);
  });
  test("flag keeps every row; clean data lose nothing", async () => {
    const flag = await sanitize(poisoned, { detector: "knn-label-agreement", action: "flag", reference }, context(3));
    expect(flag.kept).toBe(poisoned);
    expect(flag.removed.length).toBeGreaterThan(30);
    const cleanRun = await sanitize(data, { detector: "knn-label-agreement", action: "remove", reference }, context(3));
    expect(cleanRun.removed).toEqual([]);
    expect(cleanRun.looks).toEqual([{ rows: 600, flagged: [] }]);
    expect(cleanRun.kept).toBe(data);
    expect(cleanRun.audit.verdict).toBe("even");
  });
  test("an unknown detector and an unknown group column are refused by name", async () => {
    await expect(
      sanitize(data, { detector: "magic", action: "flag", reference: null }, context(3)),
    ).rejects.toMatchObject({ code: "UNKNOWN_ID" });
    await expect(
      sanitize(
        poisoned,
        { detector: "knn-label-agreement", action: "flag", reference: null, groups: ["toString"] },
        context(3),
      ),
    ).rejects.toMatchObject({ code: "OPTION_RANGE" });
  });
  test("the placebo takes as many rows of each class as were flagged there", () => {
    const flags = Uint8Array.from(data.labels!, (y, i) => (i < 60 && y === 1 ? 1 : 0));
    const left = placeboRows(data.labels!, 3, flags, context(1), 0);
    expect([0, 1, 2].map((y) => left.filter((i) => data.labels![i] === y).length)).toEqual([200, 180, 200]);
  });
});
