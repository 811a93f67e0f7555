import { describe, expect, it } from "vitest";
import { modelOf, runGraph } from "../../../test/support/run-graph.ts";
import { grad } from "../../grad/index.ts";
import { float, GraphBuilder, inferTypes, int, type Graph } from "../../ir/index.ts";
import { seeded } from "../../random/index.ts";
import { gradientModel } from "../../target/gradient-model.ts";
import { shapesOf } from "../../target/shapes.ts";
import { float32, sizeOf, type Tensor } from "../../tensor/index.ts";
import { findGelu } from "./find-gelu.ts";
import { findNormalization } from "./find-normalization.ts";
import { gatherHeads, narrowSums } from "./heads.ts";
import { mergeReshapes } from "./merge-reshapes.ts";
import { normalizeToLinear, withMoments, withoutMeans } from "./normalize-to-linear.ts";
import { prune } from "../prune.ts";

const random = (label: string, dims: readonly number[], scale = 1) => {
  const data = new Float32Array(sizeOf(dims));
  seeded(12).child(label).fillNormal(data, 0, scale);
  return float32(dims, data);
};
const opsOf = (graph: Graph): string[] => graph.nodes.map((node) => node.op);
const dimsIn = (graph: Graph) => shapesOf(modelOf(graph, 20));

function close(got: readonly number[], want: readonly number[], tolerance = 2e-6): void {
  const size = Math.max(...want.map(Math.abs));
  expect(size).toBeGreaterThan(1e-3);
  expect(got.length).toBe(want.length);
  for (const [i, v] of want.entries()) expect(Math.abs(got[i]! - v)).toBeLessThan(tolerance * size);
}

/** The values of the only output and the gradient by x of the sum of its squares. */
async function both(graph: Graph, x: Tensor, after: (graph: Graph) => Graph = (g) => g) {
  const b = new GraphBuilder(graph);
  const y = graph.outputs[0]!.name;
  const total = b.op("ReduceSumSquare", [y], { keepdims: int(0) });
  const { model, gradients } = grad(modelOf(b.build(), 20), { of: total, wrt: ["x"] });
  const whole = after(model.graph);
  const out = await runGraph(whole, { x }, 20);
  return { graph: whole, y: out[y]!.data, dx: out[gradients.get("x")!]!.data };
}

describe("findGelu", () => {
  const near = Math.SQRT2;
  const forms: Record<string, (b: GraphBuilder, x: string) => string> = {
    "x (erf + 1) / 2": (b, x) =>
      b.mul(b.mul(x, b.add(b.op("Erf", [b.div(x, b.scalar(near))]), b.scalar(1))), b.scalar(0.5)),
    "(x / 2) (1 + erf)": (b, x) =>
      b.mul(b.mul(x, b.scalar(0.5)), b.add(b.scalar(1), b.op("Erf", [b.mul(x, b.scalar(1 / near))]))),
    "x ((erf + 1) / 2)": (b, x) =>
      b.mul(x, b.div(b.add(b.op("Erf", [b.div(x, b.scalar(near))]), b.scalar(1)), b.scalar(2))),
  };
  const graphOf = (make: (b: GraphBuilder, x: string) => string): Graph => {
    const b = new GraphBuilder();
    b.output(make(b, b.op("Neg", [b.input("x", "float32", ["n", 7])])), "float32", null);
    return b.build();
  };
  for (const [name, make] of Object.entries(forms)) {
    it(`${name}: the same values and gradients`, async () => {
      const before = graphOf(make);
      const after = findGelu(before);
      expect(opsOf(after)).toEqual(["Neg", "Gelu"]);
      const x = random("gelu", [5, 7], 2);
      const [want, got] = [await both(before, x), await both(after, x)];
      close(got.y, want.y);
      close(got.dx, want.dx);
    });
  }
  const not: Record<string, (b: GraphBuilder, x: string) => string> = {
    "another constant": (b, x) =>
      b.mul(b.mul(x, b.add(b.op("Erf", [b.div(x, b.scalar(1.5))]), b.scalar(1))), b.scalar(0.5)),
    "another factor": (b, x) =>
      b.mul(b.mul(b.op("Neg", [x]), b.add(b.op("Erf", [b.div(x, b.scalar(near))]), b.scalar(1))), b.scalar(0.5)),
    "the square": (b, x) => {
      const one = b.add(b.op("Erf", [b.div(x, b.scalar(near))]), b.scalar(1));
      return b.mul(b.mul(one, one), b.mul(x, b.scalar(0.5)));
    },
    "read in between": (b, x) => {
      const phi = b.mul(b.add(b.op("Erf", [b.div(x, b.scalar(near))]), b.scalar(1)), b.scalar(0.5));
      return b.add(b.mul(x, phi), phi);
    },
  };
  for (const [name, make] of Object.entries(not)) {
    it(`${name}: stays`, () => {
      const graph = graphOf(make);
      expect(findGelu(graph)).toBe(graph);
    });
  }
});

describe("findNormalization", () => {
  const scale = (b: GraphBuilder) => b.constant(random("s", [6]), "s");
  const mean = (b: GraphBuilder, v: string, axis = -1): string => b.op("ReduceMean", [v, b.indices([axis])]);
  const graphOf = (make: (b: GraphBuilder, x: string) => string): Graph => {
    const b = new GraphBuilder();
    b.output(make(b, b.op("Neg", [b.input("x", "float32", ["n", 5, 6])])), "float32", null);
    return b.build();
  };
  const quotient = (b: GraphBuilder, d: string, square: string, axis = -1): string =>
    b.div(d, b.op("Sqrt", [b.add(mean(b, square, axis), b.scalar(0.01))]));
  const forms: Record<string, (b: GraphBuilder, x: string) => string> = {
    "the difference once, squared by Pow": (b, x) => {
      const d = b.sub(x, mean(b, x));
      const n = quotient(b, d, b.op("Pow", [d, b.scalar(2)]));
      return b.add(b.mul(scale(b), n), b.constant(random("b", [6]), "b"));
    },
    "the difference twice, squared by Mul, only scaled": (b, x) => {
      const m = mean(b, x, 2);
      const [one, two] = [b.sub(x, m), b.sub(x, m)];
      return b.mul(quotient(b, one, b.mul(two, two), 2), scale(b));
    },
    "neither scaled nor shifted": (b, x) => {
      const d = b.sub(x, mean(b, x));
      return b.op("Tanh", [quotient(b, d, b.mul(d, d))]);
    },
  };
  for (const [name, make] of Object.entries(forms)) {
    it(`${name}: the same values and gradients`, async () => {
      const before = graphOf(make);
      const after = findNormalization(before, dimsIn(before));
      expect(opsOf(after).filter((op) => op !== "Tanh")).toEqual(["Neg", "LayerNormalization"]);
      const x = random("ln", [4, 5, 6], 2);
      const [want, got] = [await both(before, x), await both(withMoments(after), x)];
      close(got.y, want.y);
      close(got.dx, want.dx, 1e-5);
    });
  }
  const not: Record<string, (b: GraphBuilder, x: string) => string> = {
    "another axis": (b, x) => {
      const d = b.sub(x, mean(b, x, 1));
      return quotient(b, d, b.mul(d, d), 1);
    },
    "another power": (b, x) => {
      const d = b.sub(x, mean(b, x));
      return quotient(b, d, b.op("Pow", [d, b.scalar(4)]));
    },
    "the difference read elsewhere": (b, x) => {
      const d = b.sub(x, mean(b, x));
      return b.add(quotient(b, d, b.mul(d, d)), d);
    },
    "another numerator": (b, x) => {
      const d = b.sub(x, mean(b, x));
      return quotient(b, x, b.mul(d, d));
    },
  };
  for (const [name, make] of Object.entries(not)) {
    it(`${name}: stays`, () => {
      const graph = graphOf(make);
      expect(findNormalization(graph, dimsIn(graph))).toBe(graph);
    });
  }
});

describe("LayerNormalization in front of linear layers", () => {
  /** Two matrices read the normalized value; `also` reads it as well. */
  const layers = (also: boolean, bias = true): Graph => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n", 5, 6]);
    const affine = [b.constant(random("s", [6]), "s"), ...(bias ? [b.constant(random("b", [6]), "b")] : [])];
    const n = b.op("LayerNormalization", [x, ...affine], { axis: int(-1), epsilon: float(1e-3) });
    const u = b.add(b.matmul(n, b.constant(random("u", [6, 4]), "u")), b.constant(random("c", [4]), "c"));
    const v = b.op("Tanh", [b.matmul(n, b.constant(random("v", [6, 4]), "v"))]);
    b.output(also ? b.mul(b.mul(u, v), b.op("ReduceMax", [n], { keepdims: int(0) })) : b.mul(u, v), "float32", null);
    return b.build();
  };
  const x = random("x", [3, 5, 6], 3);

  it("reads mean and deviation from the outputs", async () => {
    const [want, got] = [await both(layers(true), x), await both(withMoments(layers(true)), x)];
    close(got.y, want.y);
    close(got.dx, want.dx);
    const count = (graph: Graph): number => opsOf(graph).filter((op) => op === "LayerNormalization").length;
    expect([count(want.graph), count(got.graph)]).toEqual([2, 1]);
  });

  for (const bias of [true, false]) {
    it(`scale and bias (${bias}) go into the matrices, and the gradient's mean is left out`, async () => {
      const before = layers(false, bias);
      const after = withMoments(normalizeToLinear(before, dimsIn(before)));
      const want = await both(before, x);
      const got = await both(after, x, (graph) => withoutMeans(graph, dimsIn(graph)));
      close(got.y, want.y);
      close(got.dx, want.dx, 1e-5);
      expect(opsOf(got.graph).filter((op) => op === "LayerNormalization")).toHaveLength(1);
      const needed = prune(got.graph);
      expect(opsOf(needed).filter((op) => op === "ReduceMean")).toHaveLength(1);
      expect(opsOf(prune(want.graph)).filter((op) => op === "ReduceMean")).toHaveLength(2);
    });
  }

  it("stays where something else reads the value, and the mean where rows have one", () => {
    const graph = layers(true);
    expect(normalizeToLinear(graph, dimsIn(graph))).toBe(graph);
    const b = new GraphBuilder();
    const y = b.matmul(b.input("x", "float32", ["n", 4]), b.constant(random("w", [4, 3]), "w"));
    b.output(b.sub(y, b.op("ReduceMean", [y, b.indices([-1])])), "float32", null);
    const other = b.build();
    expect(withoutMeans(other, dimsIn(other))).toBe(other);
  });
});

/** Attention of 2 heads of 8 over 5 positions, as exporters write it, keys turned in one step. */
const attention = (): Graph => {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", ["n", 5, 16]);
  const head = (label: string, perm: readonly number[]): string => {
    const linear = b.add(
      b.matmul(x, b.constant(random(label, [16, 16], 0.3), label)),
      b.constant(random(`${label}.b`, [16])),
    );
    return b.transpose(b.reshape(linear, [0, 5, 2, 8]), perm);
  };
  const scores = b.mul(b.matmul(head("q", [0, 2, 1, 3]), head("k", [0, 2, 3, 1])), b.scalar(1 / Math.sqrt(8)));
  const mixed = b.matmul(b.op("Softmax", [scores], { axis: int(-1) }), head("v", [0, 2, 1, 3]));
  b.output(b.reshape(b.transpose(mixed, [0, 2, 1, 3]), [0, 5, 16]), "float32", null);
  return b.build();
};

describe("attention", () => {
  const x = random("x", [3, 5, 16]);

  it("gathers rows instead of transposing, with the same values and gradients", async () => {
    const want = await both(attention(), x);
    const got = await both(attention(), x, (graph) => mergeReshapes(gatherHeads(graph, dimsIn(graph))));
    close(got.y, want.y);
    close(got.dx, want.dx);
    const perms = got.graph.nodes.filter((n) => n.op === "Transpose" && n.attributes["perm"]?.type === "ints");
    const moves = perms.map((n) => (n.attributes["perm"] as { value: readonly bigint[] }).value.join());
    expect(new Set(moves)).toEqual(new Set(["0,1,3,2", "1,0"]));
    expect(opsOf(got.graph).filter((op) => op === "Gather")).toHaveLength(8);
  });

  it("sums over the width of a head, where that is less than the length", async () => {
    const wide = (graph: Graph): Graph => narrowSums(graph, dimsIn(graph));
    const short = await both(attention(), x);
    expect(wide(short.graph)).toBe(short.graph);
    const b = new GraphBuilder();
    const q = b.input("x", "float32", ["n", 9, 4]);
    const p = b.op("Softmax", [b.matmul(q, b.transpose(q, [0, 2, 1]))], { axis: int(-1) });
    b.output(b.matmul(p, b.mul(q, b.scalar(0.5))), "float32", null);
    const rows = random("q", [3, 9, 4]);
    const want = await both(b.build(), rows);
    const got = await both(b.build(), rows, wide);
    close(got.dx, want.dx, 1e-5);
    expect(got.graph).not.toBe(want.graph);
    const sums = got.graph.nodes.filter((n) => n.op === "ReduceSum").map((n) => n.inputs[0]!);
    const made = new Map(got.graph.nodes.map((n) => [n.outputs[0]!, n]));
    expect(sums.some((name) => made.get(name)?.inputs.includes(want.graph.outputs[0]!.name))).toBe(true);
  });

  it("sums what is there: not a product that comes later", () => {
    const b = new GraphBuilder();
    const [q, p] = [b.input("q", "float32", ["n", 9, 4]), b.op("Softmax", [b.input("s", "float32", ["n", 9, 9])])];
    const sums = b.reduceSum(b.mul(b.matmul(q, b.transpose(q, [0, 2, 1])), p), [-1], true);
    b.output(b.mul(b.matmul(p, q), sums), "float32", null);
    const graph = b.build();
    expect(narrowSums(graph, dimsIn(graph))).toBe(graph);
  });

  it("merges one Reshape behind another, where sizes keep their meaning", async () => {
    const b = new GraphBuilder();
    const x0 = b.input("x", "float32", ["n", 6, 4]);
    const inner = b.reshape(b.reshape(x0, [0, 2, 3, 4]), [0, 24]);
    const copies = b.reshape(b.reshape(x0, [0, 4, 6]), [0, 0, 2, 3]);
    const moved = b.reshape(b.reshape(x0, [-1, 12]), [0, 2, 6]);
    for (const y of [inner, copies, moved]) b.output(y, "float32", null);
    const before = b.build();
    const after = mergeReshapes(before);
    const from = (name: string): string => after.nodes.find((n) => n.outputs[0] === name)!.inputs[0]!;
    expect([from(inner), from(copies) === "x", from(moved) === "x"]).toEqual(["x", false, false]);
    const feeds = { x: random("r", [2, 6, 4]) };
    expect(await runGraph(after, feeds)).toEqual(await runGraph(before, feeds));
  });
});

it("all together: the gradient of a layer with attention and perceptron is that without the forms", async () => {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", ["n", 12, 16]);
  const linear = (v: string, i: number, o: number, label: string): string =>
    b.add(
      b.matmul(v, b.constant(random(label, [i, o], 1 / Math.sqrt(i)), label)),
      b.constant(random(`${label}.b`, [o]), "b"),
    );
  const norm = (v: string, label: string): string =>
    b.op("LayerNormalization", [v, b.constant(random(`${label}.s`, [16])), b.constant(random(`${label}.o`, [16]))], {
      axis: int(-1),
    });
  const h = norm(x, "n1");
  const head = (label: string, perm: readonly number[]): string =>
    b.transpose(b.reshape(linear(h, 16, 16, label), [0, 12, 2, 8]), perm);
  const scores = b.mul(b.matmul(head("q", [0, 2, 1, 3]), head("k", [0, 2, 3, 1])), b.scalar(1 / Math.sqrt(8)));
  const mixed = b.matmul(b.op("Softmax", [scores], { axis: int(-1) }), head("v", [0, 2, 1, 3]));
  const first = b.add(x, linear(b.reshape(b.transpose(mixed, [0, 2, 1, 3]), [0, 12, 16]), 16, 16, "o"));
  const up = linear(norm(first, "n2"), 16, 32, "up");
  const gelu = b.mul(b.mul(up, b.add(b.op("Erf", [b.div(up, b.scalar(Math.SQRT2))]), b.scalar(1))), b.scalar(0.5));
  const second = b.add(first, linear(gelu, 32, 16, "down"));
  const pooled = b.op("ReduceMean", [norm(second, "n3"), b.indices([1])], { keepdims: int(0) });
  const scoresName = b.output(linear(pooled, 16, 3, "head"), "float32", ["n", 3]);
  const typed = inferTypes(modelOf(b.build(), 20));
  const request = {
    input: "x",
    scores: scoresName,
    classes: 3,
    probabilities: false,
    loss: "cross-entropy",
    targeted: false,
  } as const;
  const labels = { dtype: "int32" as const, dims: [4], data: Int32Array.of(0, 1, 2, 1) };
  const out = await Promise.all(
    [true, false].map(async (plain) => {
      const made = gradientModel(typed, { ...request, plain });
      const got = await runGraph(made.model.graph, { x: random("all", [4, 12, 16]), [made.labels!]: labels }, 20);
      return { ops: opsOf(made.model.graph), dx: got[made.gradient]!.data, scores: got[made.scores]!.data };
    }),
  );
  const [plain, fewer] = out as [(typeof out)[0], (typeof out)[0]];
  close(fewer.scores, plain.scores, 1e-5);
  close(fewer.dx, plain.dx, 2e-5);
  const count = (ops: readonly string[], op: string): number => ops.filter((o) => o === op).length;
  expect(count(fewer.ops, "LayerNormalization")).toBe(3);
  expect(count(fewer.ops, "Gather")).toBeGreaterThanOrEqual(8);
});
