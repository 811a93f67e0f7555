import { describe, expect, it } from "vitest";
import { float32, int64 } from "../tensor/index.ts";
import {
  GraphBuilder,
  inferTypes,
  int,
  ints,
  string,
  tensorInfo,
  type Attribute,
  type Dim,
  type Model,
} from "./index.ts";

const modelOf = (b: GraphBuilder, opset = 18): Model => ({
  irVersion: 8,
  opsets: { "": opset },
  producer: "",
  producerVersion: "",
  metadata: {},
  graph: b.build(),
});

/** Inferred sizes of one operator's output for float inputs of the given sizes. */
function sizes(
  op: string,
  inputs: (readonly Dim[])[],
  attributes: Record<string, Attribute> = {},
  extra: number[][] = [],
): unknown {
  const b = new GraphBuilder();
  const names = inputs.map((dims, i) => b.input(`x${i}`, "float32", dims));
  const y = b.op(op, [...names, ...extra.map((values) => b.indices(values))], attributes);
  return inferTypes(modelOf(b)).graph.values.get(y)?.dims;
}

describe("sizes by hand", () => {
  it.each<[string, (readonly Dim[])[], Record<string, Attribute>, number[][], readonly Dim[] | null]>([
    [
      "Add",
      [
        ["n", 1, 5],
        [4, 1],
      ],
      {},
      [],
      ["n", 4, 5],
    ],
    ["Add", [["n"], ["m"]], {}, [], [null]],
    [
      "MatMul",
      [
        ["n", 2, 3, 4],
        [4, 5],
      ],
      {},
      [],
      ["n", 2, 3, 5],
    ],
    ["MatMul", [[4], [4, 5]], {}, [], [5]],
    [
      "Gemm",
      [
        [4, "n"],
        [3, 4],
      ],
      { transA: int(1), transB: int(1) },
      [],
      ["n", 3],
    ],
    [
      "Conv",
      [
        ["n", 3, 32, 32],
        [8, 3, 3, 3],
      ],
      { strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) },
      [],
      ["n", 8, 16, 16],
    ],
    [
      "Conv",
      [
        ["n", 3, 9, 9],
        [8, 3, 3, 3],
      ],
      { dilations: ints([2, 2]) },
      [],
      ["n", 8, 5, 5],
    ],
    [
      "Conv",
      [
        [1, 3, 9, "w"],
        [8, 3, 3, 3],
      ],
      { auto_pad: string("SAME_UPPER") },
      [],
      [1, 8, 9, "w"],
    ],
    [
      "Conv",
      [
        [1, 3, "h", 9],
        [8, 3, 3, 3],
      ],
      { pads: ints([1, 1, 1, 1]) },
      [],
      [1, 8, "h", 9],
    ],
    [
      "ConvTranspose",
      [
        [1, 4, 3, 3],
        [4, 2, 3, 3],
      ],
      { strides: ints([2, 2]), group: int(2) },
      [],
      [1, 4, 7, 7],
    ],
    ["MaxPool", [[1, 1, 5, 5]], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }, [], [1, 1, 2, 2]],
    [
      "MaxPool",
      [[1, 1, 5, 5]],
      { kernel_shape: ints([2, 2]), strides: ints([2, 2]), ceil_mode: int(1) },
      [],
      [1, 1, 3, 3],
    ],
    ["GlobalAveragePool", [["n", 8, 7, 7]], {}, [], ["n", 8, 1, 1]],
    ["Reshape", [["n", 16, 4, 4]], {}, [[-1, 256]], ["n", 256]],
    ["Reshape", [["n", 16, 4, 4]], {}, [[0, -1]], ["n", 256]],
    ["Reshape", [["n", "m"]], {}, [[-1, 4]], [null, 4]],
    ["Flatten", [["n", 2, 3, 4]], { axis: int(2) }, [], [null, 12]],
    ["Flatten", [["n", 2, 3]], {}, [], ["n", 6]],
    ["Transpose", [["n", 2, 3]], { perm: ints([1, 2, 0]) }, [], [2, 3, "n"]],
    [
      "Concat",
      [
        ["n", 2],
        ["n", 3],
      ],
      { axis: int(-1) },
      [],
      ["n", 5],
    ],
    ["Squeeze", [["n", 1, 3]], {}, [[1]], ["n", 3]],
    ["Unsqueeze", [["n", 3]], {}, [[0, -1]], [1, "n", 3, 1]],
    ["ReduceSum", [["n", 2, 3]], { keepdims: int(0) }, [[-1]], ["n", 2]],
    ["ReduceMean", [["n", 2, 3]], {}, [], [1, 1, 1]],
    [
      "Einsum",
      [
        ["n", 3, 4],
        [4, 5],
      ],
      { equation: string("bij,jk->bik") },
      [],
      ["n", 3, 5],
    ],
  ])("%s %j", (op, inputs, attributes, extra, expected) => {
    expect(sizes(op, inputs, attributes, extra)).toEqual(expected);
  });

  it("takes slices as Python does", () => {
    // Python's own range arithmetic, element by element.
    for (const [start, end, step] of [
      [0, 7, 2],
      [-3, 100, 1],
      [6, -8, -2],
      [5, 1, -1],
      [2, 2, 1],
    ] as const) {
      const from = start < 0 ? start + 7 : start;
      const to = end < 0 ? end + 7 : end;
      let n = 0;
      for (let i = Math.min(from, 6); step > 0 ? i < Math.min(to, 7) : i > Math.max(to, -1); i += step) n++;
      const b = new GraphBuilder();
      const x = b.input("x", "float32", [7]);
      const y = b.op("Slice", [x, b.indices([start]), b.indices([end]), b.indices([0]), b.indices([step])]);
      expect(inferTypes(modelOf(b)).graph.values.get(y)?.dims, `${start}:${end}:${step}`).toEqual([n]);
    }
  });
});

describe("shape arithmetic", () => {
  it("keeps the batch through Shape, Gather, Concat, Reshape", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["batch", 4, 8, 8]);
    const first = b.op("Gather", [b.shapeOf(x), b.constant(int64([], [0]))]);
    const shape = b.op("Concat", [b.unsqueeze(first, [0]), b.indices([-1])], { axis: int(0) });
    const y = b.op("Reshape", [x, shape]);
    expect(inferTypes(modelOf(b)).graph.values.get(y)).toMatchObject({ dtype: "float32", dims: ["batch", 256] });
  });

  it("knows that an unnamed batch is the same size twice, and names it to nobody", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [1, 4]);
    const open = new GraphBuilder({ ...b.build(), inputs: [tensorInfo("x", "float32", [null, 4])] });
    const first = open.op("Slice", [open.shapeOf(x), open.indices([0]), open.indices([1])]);
    const y = open.op("Reshape", [x, open.op("Concat", [first, open.indices([-1])], { axis: int(0) })]);
    expect(inferTypes(modelOf(open)).graph.values.get(y)?.dims).toEqual([null, 4]);
  });

  it("does not trust the content of a default value that the caller may override", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n", 4]);
    const shape = b.constant(int64([2], [2, -1]), "shape");
    const y = b.op("Reshape", [x, shape]);
    const graph = b.build();
    const open = { ...graph, inputs: [...graph.inputs, tensorInfo(shape, "int64", [2])] };
    expect(inferTypes({ ...modelOf(b), graph: open }).graph.values.get(y)?.dims).toEqual([null, null]);
  });
});

it("leaves an unknown operator's output unknown, and goes on with what the file declares", () => {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", ["n", 4]);
  b.append({ op: "Mystery", domain: "com.example", name: "m", inputs: [x], outputs: ["a", "b"], attributes: {} });
  const [ya, yb] = [b.op("Relu", ["a"]), b.op("Relu", ["b"])];
  const graph = { ...b.build(), values: new Map([["b", tensorInfo("b", "float32", ["n", 7])]]) };
  const { values } = inferTypes({ ...modelOf(b), graph }).graph;
  expect(values.has(ya)).toBe(false);
  expect(values.get(yb)).toMatchObject({ dtype: "float32", dims: ["n", 7] });
});

it("survives attributes that make no sense", () => {
  const mad: Record<string, Attribute> = {
    axis: int(10n ** 18n),
    axes: ints([99, -99]),
    perm: ints([7, 7]),
    kernel_shape: ints([-1, 0]),
    strides: ints([0, 0]),
    pads: ints([-5]),
    blocksize: int(0),
    shape: ints([-1, 10n ** 18n]),
    hidden_size: int(-3),
  };
  const ops =
    "Softmax Flatten Transpose Conv MaxPool ConvTranspose DepthToSpace RandomNormal LSTM Squeeze Unsqueeze Split Gather TopK OneHot Pad Concat ReduceSum ArgMax Resize Tile LayerNormalization Reshape Slice";
  for (const op of ops.split(" ")) {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n", 2, 3, 4]);
    const y = b.op(op, [x, b.constant(float32([2], [NaN, 1e30]))], mad);
    const dims = inferTypes(modelOf(b)).graph.values.get(y)?.dims ?? [];
    for (const d of dims) if (typeof d === "number") expect(Number.isSafeInteger(d) && d >= 0, op).toBe(true);
  }
});
