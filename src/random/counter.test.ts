import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MarauderError } from "../errors.ts";
import { seeded } from "./counter.ts";
import { exactLog, normalQuantile } from "./normal-quantile.ts";
import { mulHigh, philox } from "./philox.ts";
import { sha256 } from "./sha256.ts";

const hex = (words: Uint32Array): string => [...words].map((w) => w.toString(16).padStart(8, "0")).join(" ");
const draw = (n: number, next: () => number): number[] => Array.from({ length: n }, next);

describe("philox", () => {
  it.each([
    [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    [[-1, -1, -1, -1], [-1, -1], "408f276d 41c83b0e a20bc7c6 6d5451fd"],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], "d16cfe09 94fdcceb 5001e420 24126ea1"],
  ])("gives Random123's known answers: counter %s, key %s", (c, k, answer) => {
    const out = new Uint32Array(4);
    philox(out, c[0]! >>> 0, c[1]! >>> 0, c[2]! >>> 0, c[3]! >>> 0, k[0]! >>> 0, k[1]! >>> 0);
    expect(hex(out)).toBe(answer);
  });

  it("multiplies like 64-bit integers", () => {
    const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    fc.assert(fc.property(word, word, (a, b) => mulHigh(a, b) === Number((BigInt(a) * BigInt(b)) >> 32n)));
  });
});

describe("sha256", () => {
  it("agrees with node:crypto for every length to three blocks", () => {
    for (let n = 0; n <= 192; n++) {
      const bytes = Uint8Array.from({ length: n }, (_, i) => (i * 37 + n) & 255);
      const want = createHash("sha256").update(bytes).digest("hex");
      expect(hex(sha256(bytes)).replaceAll(" ", "")).toBe(want);
    }
  });
});

describe("streams", () => {
  it("are pinned: these numbers may only change with a changelog entry under 'Numbers changed'", () => {
    const rng = seeded(1).child("pgd").child(7);
    expect(rng.path).toBe("1/pgd/7");
    expect(draw(3, () => rng.uint32())).toMatchInlineSnapshot(`
      [
        374085907,
        3137879351,
        2894299187,
      ]
    `);
    expect(draw(3, () => rng.normal())).toMatchInlineSnapshot(`
      [
        1.1655890339243318,
        -0.4903715015029394,
        -0.4356352074362547,
      ]
    `);
  });

  it("do not depend on what parent or siblings drew", () => {
    const quiet = seeded("a").child("x");
    const parent = seeded("a");
    draw(11, () => parent.normal());
    const sibling = parent.child("y");
    draw(5, () => sibling.uint32());
    const busy = parent.child("x");
    expect(draw(20, () => busy.uint32())).toEqual(draw(20, () => quiet.uint32()));
  });

  it("differ wherever the list of labels differs, and nowhere else", () => {
    const first = (labels: (string | number)[]): number[] => {
      let rng = seeded(0);
      for (const label of labels) rng = rng.child(label);
      return draw(4, () => rng.uint32());
    };
    expect(first(["a", "b"])).not.toEqual(first(["a/b"]));
    expect(first(["a~1b"])).not.toEqual(first(["a/b"]));
    expect(first(["ab"])).not.toEqual(first(["a", "b"]));
    expect(first([""])).not.toEqual(first([]));
    expect(first([12])).toEqual(first(["12"]));
    expect(seeded(1).uint32()).not.toBe(seeded(2).uint32());
  });

  it("have no equal first blocks among 20,000 children", () => {
    const root = seeded(3);
    const seen = new Set<string>();
    for (let i = 0; i < 20_000; i++) {
      const child = root.child(i);
      seen.add(`${child.uint32()} ${child.uint32()}`);
    }
    expect(seen.size).toBe(20_000);
  });

  it("of neighbouring children are uncorrelated (|z| < 5, false alarm 6e-7)", () => {
    const root = seeded("correlation");
    let sum = 0;
    const n = 20_000;
    for (let i = 0; i < n; i++) sum += root.child(i).normal() * root.child(i + 1).normal();
    expect(Math.abs(sum / Math.sqrt(n))).toBeLessThan(5);
  });
});

describe("distributions", () => {
  // Seeds are fixed, so a pass stays a pass. Each bound would fail a true generator about once in a million seeds.
  it("float is uniform: chi-square over 256 cells", () => {
    const rng = seeded("uniform");
    const cells = new Float64Array(256);
    const n = 256_000;
    for (let i = 0; i < n; i++) cells[Math.floor(rng.float() * 256)]!++;
    const chi = cells.reduce((sum, k) => sum + (k - 1000) ** 2 / 1000, 0);
    // Wilson-Hilferty quantiles of chi-square with 255 degrees of freedom at 5e-7 and 1 - 5e-7
    const edge = (z: number): number => 255 * (1 - 2 / (9 * 255) + z * Math.sqrt(2 / (9 * 255))) ** 3;
    expect(chi).toBeGreaterThan(edge(-4.9));
    expect(chi).toBeLessThan(edge(4.9));
  });

  it("normal follows the normal distribution: Kolmogorov-Smirnov on its quantiles", () => {
    const rng = seeded("normal");
    const n = 100_000;
    const x = Float64Array.from({ length: n }, () => rng.normal()).sort();
    let worst = 0; // at the quantile of i / n, the share below it should be i / n
    let at = 0;
    for (let i = 1; i < 1000; i++) {
      const edge = normalQuantile(i / 1000);
      while (at < n && x[at]! < edge) at++;
      worst = Math.max(worst, Math.abs(at / n - i / 1000));
    }
    expect(worst * Math.sqrt(n)).toBeLessThan(2.7); // P(K > 2.7) = 9e-7
  });

  it("int has no modulo bias where it would show: 3 * 2^30 values, chi-square over thirds (z < 5)", () => {
    const rng = seeded("int");
    const n = 3 * 2 ** 30;
    const cells = [0, 0, 0];
    for (let i = 0; i < 90_000; i++) cells[Math.floor(rng.int(n) / 2 ** 30)]!++;
    for (const k of cells) expect(Math.abs(k - 30_000) / Math.sqrt(20_000)).toBeLessThan(5);
    const big = 2 ** 53 - 1;
    for (let i = 0; i < 100; i++) expect(rng.int(big)).toBeLessThan(big);
    expect(draw(50, () => rng.int(1))).toEqual(Array(50).fill(0));
    expect(new Set(draw(200, () => rng.int(5)))).toEqual(new Set([0, 1, 2, 3, 4]));
  });

  it("int refuses what is not a range", () => {
    for (const n of [0, -1, 1.5, NaN, Infinity]) expect(() => seeded(0).int(n)).toThrow(MarauderError);
    expect(() => seeded(NaN)).toThrow(MarauderError);
  });

  it("permutation is uniform over the 24 orders of four (z < 5)", () => {
    const rng = seeded("orders");
    const count = new Map<string, number>();
    const n = 48_000;
    for (let i = 0; i < n; i++) {
      const key = rng.permutation(4).join("");
      count.set(key, (count.get(key) ?? 0) + 1);
    }
    expect(count.size).toBe(24);
    for (const k of count.values()) expect(Math.abs(k - 2000) / Math.sqrt(2000 * (23 / 24))).toBeLessThan(5);
  });

  it("choose gives distinct numbers, sparse and dense alike, and every number its turn", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, share) => {
        const k = Math.floor(n * share);
        const chosen = seeded(n).child(k).choose(n, k);
        return chosen.length === k && new Set(chosen).size === k && chosen.every((i) => i < n);
      }),
    );
    expect(seeded(9).choose(1000, 125)).toEqual(seeded(9).choose(1000, 126).slice(0, 125));
    expect(() => seeded(0).choose(3, 4)).toThrow(/choose 4 of 3/);
  });

  it("fills arrays as single draws do, within the bounds", () => {
    const filled = new Float32Array(1000);
    seeded("fill").fillUniform(filled, -0.3, 0.3);
    expect(Math.max(...filled)).toBeLessThanOrEqual(Math.fround(0.3));
    expect(Math.min(...filled)).toBeGreaterThanOrEqual(Math.fround(-0.3));
    const normals = new Float64Array(5);
    seeded("n").fillNormal(normals, 10, 2);
    const rng = seeded("n");
    expect([...normals]).toEqual(draw(5, () => 10 + 2 * rng.normal()));
  });
});

describe("the normal quantile", () => {
  it("has the textbook values", () => {
    expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 15);
    expect(normalQuantile(0.5)).toBe(0);
    expect(normalQuantile(1e-300)).toBeCloseTo(-37.0470962993612, 11);
    expect([normalQuantile(0), normalQuantile(1), normalQuantile(-0.1), normalQuantile(NaN)]).toEqual([
      -Infinity,
      Infinity,
      NaN,
      NaN,
    ]);
  });
});

describe("the normal quantile's own logarithm", () => {
  it("stays within 2 ulp of Math.log, denormals included", () => {
    const any = fc.double({ min: Number.MIN_VALUE, max: Number.MAX_VALUE, noNaN: true });
    fc.assert(
      fc.property(any, (x) => Math.abs(exactLog(x) - Math.log(x)) <= 2 ** -51 * Math.abs(Math.log(x))),
      { numRuns: 5000 },
    );
    for (const x of [1 - 2 ** -53, 1, 1 + 2 ** -52, Math.SQRT2, Math.SQRT1_2]) {
      expect(Math.abs(exactLog(x) - Math.log(x))).toBeLessThanOrEqual(2 ** -51 * Math.abs(Math.log(x)));
    }
    expect([exactLog(0), exactLog(-1), exactLog(Infinity)]).toEqual([-Infinity, NaN, Infinity]);
  });
});
