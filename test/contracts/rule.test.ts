import { describe, expect, test } from "vitest";
import { ortEngine, referenceEngine } from "../../src/engine/index.ts";
import { checkGradient, grad, jvp, rules, zeroByNature } from "../../src/grad/index.ts";
import { decompositions } from "../../src/rewrite/index.ts";
import { seeded } from "../../src/random/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { rows as plainRows } from "./rule-table.ts";
import { decomposedRows } from "./rule-table-decomposed.ts";
import { samplingRows } from "./rule-table-sampling.ts";
import { movingRows } from "./rule-table-shape.ts";

const rows = [...plainRows, ...movingRows, ...decomposedRows, ...samplingRows];
const exact = referenceEngine({ precision: "float64" });
const declared = referenceEngine();

test("every rule and every decomposition has a row", () => {
  const covered = new Set(rows.map((r) => r.op));
  // Estimates are no derivatives: src/grad/quantize.test.ts has their closed forms.
  expect(Object.keys(decompositions).filter((op) => !covered.has(op))).toEqual(["QLinearConv", "QLinearMatMul"]);
  const estimates = ["QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger"];
  expect(Object.keys(rules).filter((op) => !covered.has(op))).toEqual(estimates);
});

test("an operator has a rule or is zero by nature, not both", () => {
  expect(Object.keys(rules).filter((op) => zeroByNature.has(op))).toEqual([]);
});

/** Seeds for the vector-Jacobian product: as large as the outputs. */
async function seedsOf(r: (typeof rows)[number], g: ReturnType<typeof grad>): Promise<Record<string, Tensor>> {
  const session = await declared.load(r.model);
  const out = await session.run(r.feeds, r.of);
  return Object.fromEntries(
    r.of.map((name) => {
      const data = new Float32Array(out[name]!.data.length);
      seeded(3).child(name).fillNormal(data);
      return [g.seeds.get(name)!, { dtype: "float32", dims: out[name]!.dims, data } as Tensor];
    }),
  );
}

describe.each(rows.map((r) => [`${r.op}: ${r.label}`, r] as const))("%s", (_, r) => {
  test("first order: <u, Jv> = <J'u, v> in float64", async () => {
    const rng = seeded(1).child(r.op).child(r.label);
    const check = await checkGradient(r.model, {
      engine: exact,
      feeds: r.feeds,
      of: r.of,
      wrt: r.wrt,
      rng,
      directions: 2,
    });
    expect(check.magnitude).toBeGreaterThan(0);
    expect(check.relativeError).toBeLessThan(1e-6);
  });

  test.skipIf(r.noSecond !== undefined)("second order", async () => {
    const g = grad(r.model, { of: r.of, wrt: r.wrt, seeds: "inputs" });
    const feeds = { ...r.feeds, ...(await seedsOf(r, g)) };
    const check = await checkGradient(g.model, {
      engine: exact,
      feeds,
      of: [...g.gradients.values()],
      wrt: [...r.wrt, ...g.seeds.values()],
      rng: seeded(2).child(r.op).child(r.label),
    });
    expect(check.magnitude).toBeGreaterThan(0);
    expect(check.relativeError).toBeLessThan(1e-6);
  });

  test.skipIf(r.noSecond !== undefined)("forward mode: <u, Jv> = <J'u, v>, both from graphs", async () => {
    const back = grad(r.model, { of: r.of, wrt: r.wrt, seeds: "inputs" });
    const along = jvp(r.model, { of: r.of, wrt: r.wrt });
    const u = await seedsOf(r, back);
    const v = Object.fromEntries(
      r.wrt.map((name) => {
        const like = r.feeds[name] ?? r.model.graph.constants.get(name)!;
        const data = new Float32Array(like.data.length);
        seeded(4).child(name).fillNormal(data);
        return [name, { dtype: "float32", dims: like.dims, data } as Tensor];
      }),
    );
    const gradients = await (await exact.load(back.model)).run({ ...r.feeds, ...u }, [...back.gradients.values()]);
    const feeds = { ...r.feeds, ...Object.fromEntries(r.wrt.map((name) => [along.directions.get(name)!, v[name]!])) };
    const products = await (await exact.load(along.model)).run(feeds, [...along.products.values()]);
    const terms = (a: Tensor, b: Tensor): number[] =>
      Array.from(a.data as Float64Array, (x, k) => x * Number(b.data[k]));
    const left = r.of.flatMap((name) => terms(products[along.products.get(name)!]!, u[back.seeds.get(name)!]!));
    const right = r.wrt.flatMap((name) => terms(gradients[back.gradients.get(name)!]!, v[name]!));
    const total = (list: number[]): number => list.reduce((a, b) => a + b, 0);
    const size = Math.max(...[left, right].map((list) => total(list.map(Math.abs))));
    // Constants that rules write are float32: their rounding is what the two sides may differ by.
    expect(Math.abs(total(left) - total(right))).toBeLessThanOrEqual(2 ** -24 * size);
  });

  test("emits only operators that differentiate again", () => {
    const g = grad(r.model, { of: r.of, wrt: r.wrt, seeds: "inputs" });
    const own = new Set(r.model.graph.nodes.flatMap((n) => n.outputs));
    const emitted = g.model.graph.nodes.filter(
      (n) => decompositions[r.op] !== undefined || !n.outputs.some((name) => own.has(name)),
    );
    // An If has no rule in the table, but the walk takes it apart.
    const known = (op: string): boolean => op === "If" || rules[op] !== undefined || zeroByNature.has(op);
    expect(emitted.filter((n) => n.domain !== "" || !known(n.op))).toEqual([]);
  });

  test.skipIf(r.noOrt !== undefined)("agrees with ONNX Runtime in float32", async () => {
    const g = grad(r.model, { of: r.of, wrt: r.wrt, seeds: "inputs" });
    const feeds = { ...r.feeds, ...(await seedsOf(r, g)) };
    const fetches = [...r.of, ...g.gradients.values()];
    const ours = await (await declared.load(g.model)).run(feeds, fetches);
    const session = await ortEngine.load(g.model, { threads: 1 });
    const theirs = await session.run(feeds, fetches);
    await session.close();
    if (decompositions[r.op] !== undefined) {
      // The operator itself must do what its parts do.
      const whole = await ortEngine.load(r.model, { threads: 1 });
      Object.assign(theirs, await whole.run(r.feeds, r.of));
      await whole.close();
    }
    for (const name of fetches) {
      expect(theirs[name]!.dims).toEqual(ours[name]!.dims);
      const a = Array.from(ours[name]!.data as Float32Array);
      const b = Array.from(theirs[name]!.data as Float32Array);
      const scale = Math.max(1e-3, ...a.map(Math.abs));
      const worst = Math.max(0, ...a.map((v, i) => Math.abs(v - b[i]!) / scale));
      expect(worst, name).toBeLessThan(2e-5);
    }
  });
});
