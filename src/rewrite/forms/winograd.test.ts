import { describe, expect, it } from "vitest";
import { modelOf, runGraph } from "../../../test/support/run-graph.ts";
import { grad } from "../../grad/index.ts";
import { dimsIn, GraphBuilder, inferTypes, int, ints, type Graph } from "../../ir/index.ts";
import { seeded } from "../../random/index.ts";
import { float32, type Tensor } from "../../tensor/index.ts";
import { remake } from "./remake.ts";
import { AGAIN, winograd } from "./winograd.ts";

const rng = seeded(5);
const noise = (label: string, dims: number[]): Tensor<"float32"> => {
  const data = new Float32Array(dims.reduce((p, d) => p * d, 1));
  rng.child(label).fillNormal(data, 0, 1);
  return float32(dims, data);
};
const N = 3;

function convolution(
  from: number,
  to: number,
  size: [number, number],
  pads: number[],
  bias: boolean,
  more = {},
): Graph {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", ["N", from, ...size]);
  const w = b.input("w", "float32", [to, from, 3, 3]);
  const inputs = [x, w, ...(bias ? [b.input("b", "float32", [to])] : [])];
  const y = b.op("Conv", inputs, { kernel_shape: ints([3, 3]), pads: ints(pads), ...more }, "y");
  b.output(y, "float32", null);
  return b.build();
}
const rewritten = (graph: Graph): Graph => {
  const typed = inferTypes(modelOf(graph)).graph;
  const types = new Map([...typed.values, ...typed.inputs.map((v) => [v.name, v] as const)]);
  return winograd(typed, (name) => typed.constants.get(name)?.dims ?? types.get(name)?.dims ?? null);
};

describe("convolutions by minimal filtering", () => {
  it.each<[string, number, number, [number, number], number[], boolean]>([
    ["one tile, a bias", 64, 64, [4, 4], [1, 1, 1, 1], true],
    ["several tiles", 64, 80, [8, 12], [1, 1, 1, 1], false],
    ["tiles that do not fit, uneven pads", 70, 64, [13, 8], [0, 2, 1, 0], true],
    ["no padding", 64, 64, [10, 18], [0, 0, 0, 0], false],
  ])("%s: values and gradients of the direct form", async (_name, from, to, size, pads, bias) => {
    const graph = convolution(from, to, size, pads, bias);
    const other = rewritten(graph);
    expect(other.nodes.some((node) => node.op === "Conv")).toBe(false);
    const wrt = ["x", "w", ...(bias ? ["b"] : [])];
    const out = [size[0] + pads[0]! + pads[2]! - 2, size[1] + pads[1]! + pads[3]! - 2];
    const feeds = {
      x: noise("x", [N, from, ...size]),
      w: noise("w", [to, from, 3, 3]),
      ...(bias && { b: noise("b", [to]) }),
      seed_y: noise("seed", [N, to, ...out]),
    };
    const backward = (g: Graph): Graph => grad(modelOf(g), { of: "y", wrt, seeds: "inputs" }).model.graph;
    const direct = await runGraph(backward(graph), feeds);
    const whole = backward(other);
    const typed = inferTypes(modelOf(whole)).graph;
    const first = typed.nodes.findIndex((node) => node.outputs.includes("y")) + 1;
    const remade = remake(typed, first, dimsIn(typed));
    // Kernels, and tiles of small maps, are made again.
    const forward = new Set(remade.nodes.slice(0, first).flatMap(({ outputs }) => outputs));
    const kept = new Set(remade.nodes.slice(first).flatMap(({ inputs }) => inputs.filter((own) => forward.has(own))));
    expect([...kept].filter((own) => own.startsWith(AGAIN))).toEqual([]);
    expect([...kept].some((own) => own.startsWith("winograd.tiles"))).toBe(size[0] * size[1] > 64);
    for (const tiled of [await runGraph(whole, feeds), await runGraph(remade, feeds)]) {
      for (const [name, { dims, data }] of Object.entries(direct)) {
        expect(tiled[name]!.dims).toEqual(dims);
        const apart = Math.hypot(...data.map((v, i) => v - tiled[name]!.data[i]!));
        expect(apart / Math.hypot(...data)).toBeLessThan(5e-6);
      }
    }
  });

  it.each([
    ["one tile", [4, 4]],
    ["several tiles", [8, 12]],
  ] as [string, [number, number]][])("constant weights, %s: values and input gradient", async (_name, size) => {
    const open = convolution(64, 80, size, [1, 1, 1, 1], true);
    const fixed = ["w", "b"];
    const values = [noise("w", [80, 64, 3, 3]), noise("b", [80])];
    const graph: Graph = {
      ...open,
      inputs: open.inputs.filter((v) => !fixed.includes(v.name)),
      constants: new Map(fixed.map((name, i) => [name, values[i]!])),
    };
    const feeds = { x: noise("x", [N, 64, ...size]), seed_y: noise("seed", [N, 80, ...size]) };
    const run = (g: Graph) => runGraph(grad(modelOf(g), { of: "y", wrt: ["x"], seeds: "inputs" }).model.graph, feeds);
    const other = rewritten(graph);
    expect(other.nodes.filter((node) => node.op === "MatMul").length).toBeGreaterThan(3);
    const [direct, tiled] = [await run(graph), await run(other)];
    for (const [name, { dims, data }] of Object.entries(direct)) {
      expect(tiled[name]!.dims).toEqual(dims);
      const apart = Math.hypot(...data.map((v, i) => v - tiled[name]!.data[i]!));
      expect(apart / Math.hypot(...data)).toBeLessThan(5e-6);
    }
  });

  it("leaves what it does not fit: few channels, strides, groups, odd sizes, unknown sizes", () => {
    const same = (graph: Graph): void => expect(rewritten(graph).nodes.map((node) => node.op)).toEqual(["Conv"]);
    same(convolution(16, 64, [8, 8], [1, 1, 1, 1], true));
    same(convolution(64, 64, [8, 8], [1, 1, 1, 1], true, { strides: ints([2, 2]) }));
    same(convolution(64, 128, [8, 8], [1, 1, 1, 1], true, { group: int(2) }));
    same(convolution(64, 64, [5, 5], [1, 1, 1, 1], true));
    same(convolution(64, 64, [8, 8], [1, 1, 1, 1], true, { dilations: ints([2, 2]) }));
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["N", 64, "H", "W"]);
    b.output(b.op("Conv", [x, b.constant(noise("w", [64, 64, 3, 3]))]), "float32", null);
    same(b.build());
  });
});
