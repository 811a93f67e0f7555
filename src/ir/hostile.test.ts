import { describe, expect, it } from "vitest";
import { rngFrom } from "../../test/support/mini-rng.ts";
import { MarauderError } from "../errors.ts";
import { float32, int64, tensor } from "../tensor/index.ts";
import {
  decodeModel,
  emptyGraph,
  encodeModel,
  GraphBuilder,
  inferTypes,
  int,
  printModel,
  raiseOpset,
  summarize,
  validate,
  type Graph,
  type Model,
  type Node,
} from "./index.ts";

const modelOf = (graph: Graph, opset = 18): Model => ({
  irVersion: 8,
  opsets: { "": opset },
  producer: "test",
  producerVersion: "1",
  metadata: { note: "self-made" },
  graph,
});

function small(): Model {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", ["batch", 4]);
  const w = b.constant(
    float32(
      [4, 3],
      Array.from({ length: 12 }, (_, i) => i / 10),
    ),
    "w",
  );
  const y = b.op("Gemm", [x, w], { transB: int(0) });
  const shape = b.constant(int64([2], [-1, 3]), "shape");
  b.output(b.op("Softmax", [b.op("Reshape", [y, shape])], { axis: int(-1) }), "float32", ["batch", 3], "p");
  return modelOf(b.build());
}

const node = (op: string, inputs: string[], outputs: string[]): Node => ({
  op,
  domain: "",
  name: outputs[0]!,
  inputs,
  outputs,
  attributes: {},
});
const graphOf = (nodes: Node[], output: string): Graph => ({
  ...emptyGraph,
  nodes,
  inputs: [{ name: "x", dtype: "float32", dims: [1], kind: "tensor" }],
  outputs: [{ name: output, dtype: "float32", dims: [1], kind: "tensor" }],
});

/** All that is done with a foreign model must end in a model or in a MarauderError that speaks of the model. */
function survive(bytes: Uint8Array): "read" | "refused" {
  try {
    const model = validate(decodeModel(bytes));
    printModel(inferTypes(model));
    summarize(model);
    raiseOpset(model);
    encodeModel(model);
    return "read";
  } catch (error) {
    if (!(error instanceof MarauderError)) throw error;
    expect(["MODEL_CORRUPT", "MODEL_UNSUPPORTED"]).toContain(error.code);
    return "refused";
  }
}

describe("damaged files", () => {
  const whole = encodeModel(small());

  it("reads the undamaged file", () => expect(survive(whole)).toBe("read"));

  it("refuses or reads every truncation, and never the empty file", () => {
    expect(survive(whole.subarray(0, 0))).toBe("refused");
    let refused = 0;
    for (let n = 0; n < whole.length; n++) if (survive(whole.subarray(0, n)) === "refused") refused++;
    expect(refused).toBeGreaterThan(whole.length * 0.9);
  });

  it("survives 1,500 seeded byte flips", () => {
    const next = rngFrom(11);
    const seen = { read: 0, refused: 0 };
    for (let i = 0; i < 1500; i++) {
      const bytes = new Uint8Array(whole);
      for (let k = 0; k <= i % 3; k++) {
        const at = Math.floor(Math.abs(next()) * bytes.length);
        bytes[at] = bytes[at]! ^ (1 << Math.floor(Math.abs(next()) * 8));
      }
      seen[survive(bytes)]++;
    }
    expect(seen.read).toBeGreaterThan(100);
    expect(seen.refused).toBeGreaterThan(100);
  });
});

describe("hostile files", () => {
  const bytesOf = (field: number, content: Uint8Array): Uint8Array => {
    const length: number[] = [];
    for (let n = content.length; ; n = Math.floor(n / 128)) {
      length.push(n >= 128 ? (n % 128) | 128 : n);
      if (n < 128) break;
    }
    const out = new Uint8Array(1 + length.length + content.length);
    out.set([field * 8 + 2, ...length]);
    out.set(content, 1 + length.length);
    return out;
  };

  it("refuses a file of millions of empty nodes before it builds them", () => {
    const nodes = new Uint8Array(10_000_000);
    for (let i = 0; i < nodes.length; i += 2) nodes[i] = 0x0a;
    expect(() => decodeModel(bytesOf(7, nodes))).toThrow(/unfolds into more than 4000000 parts/);
  });

  it("refuses integers by the hundred million", () => {
    const dims = new Uint8Array(60_000_000).fill(1);
    expect(() => decodeModel(bytesOf(7, bytesOf(5, bytesOf(7, dims))))).toThrow(/50000000 numbers/);
  });

  it("refuses sub-graphs nested without end", () => {
    let graph = new Uint8Array(0);
    for (let i = 0; i < 60; i++) graph = new Uint8Array(bytesOf(1, bytesOf(5, bytesOf(6, graph))));
    expect(() => decodeModel(bytesOf(7, graph))).toThrow(/recursion depth/);
  });

  it("refuses a tensor that claims more than the file holds", () => {
    const claim = { ...small().graph, constants: new Map([["w", { ...float32([1], [0]), dims: [1 << 20, 1 << 19] }]]) };
    expect(() => decodeModel(encodeModel(modelOf(claim)))).toThrow(/'w'.*expected 2199023255552/);
    const negative = { ...small().graph, constants: new Map([["w", { ...float32([1], [0]), dims: [-1] }]]) };
    expect(() => decodeModel(encodeModel(modelOf(negative)))).toThrow(/negative dimension -1/);
  });

  it("takes names such as __proto__ as names", () => {
    const odd: Node = {
      ...node("Relu", ["x"], ["__proto__"]),
      attributes: Object.fromEntries([["__proto__", int(1)]]),
    };
    const model = decodeModel(
      encodeModel({ ...modelOf(graphOf([odd], "__proto__")), metadata: Object.fromEntries([["__proto__", "m"]]) }),
    );
    expect(Object.keys(model.graph.nodes[0]!.attributes)).toEqual(["__proto__"]);
    expect(Object.entries(model.metadata)).toEqual([["__proto__", "m"]]);
    expect(({} as Record<string, unknown>)["m"]).toBeUndefined();
  });
});

describe("validate", () => {
  it("sorts nodes that are merely out of order", () => {
    const model = validate(modelOf(graphOf([node("Neg", ["b"], ["c"]), node("Abs", ["x"], ["b"])], "c")));
    expect(model.graph.nodes.map((n) => n.op)).toEqual(["Abs", "Neg"]);
  });
  it.each([
    ["a cycle", [node("Neg", ["b"], ["a"]), node("Abs", ["a"], ["b"])], "a", /depends on its own output/],
    ["an undefined input", [node("Neg", ["nowhere"], ["a"])], "a", /node 0 'a' \(Neg\) reads 'nowhere'/],
    ["a value made twice", [node("Neg", ["x"], ["a"]), node("Abs", ["x"], ["a"])], "a", /'a' a second time/],
    ["an input made again", [node("Neg", ["x"], ["x"])], "x", /'x' a second time/],
    ["an output nobody makes", [node("Neg", ["x"], ["a"])], "z", /output 'z' is made by no node/],
  ])("refuses %s", (_, nodes, output, message) => {
    expect(() => validate(modelOf(graphOf(nodes, output)))).toThrow(message);
  });
});

describe("tensors of every type", () => {
  it.each([
    tensor("float64", [2], Float64Array.of(1.5, NaN)),
    tensor("float16", [3], Uint16Array.of(0x3c00, 0x7e00, 1)),
    tensor("bfloat16", [1], Uint16Array.of(0x3f80)),
    tensor("int8", [2], Int8Array.of(-128, 127)),
    tensor("int64", [1], BigInt64Array.of(-(2n ** 63n))),
    tensor("uint64", [1], BigUint64Array.of(2n ** 64n - 1n)),
    tensor("bool", [2], Uint8Array.of(0, 1)),
    tensor("string", [2], ["", "añ"]),
    tensor("complex64", [1], Float32Array.of(1, -2)),
    tensor("float8e4m3fn", [2], Uint8Array.of(1, 255)),
    tensor("int4", [3], Uint8Array.of(0x21, 0x0f)),
    tensor("uint2", [5], Uint8Array.of(0xe4, 3)),
    tensor("float32", [0, 3], new Float32Array(0)),
  ])("writes and reads $dtype $dims", (t) => {
    const graph = { ...graphOf([node("Neg", ["x"], ["a"])], "a"), constants: new Map([["t", t]]) };
    const back = decodeModel(encodeModel(modelOf(graph))).graph.constants.get("t")!;
    expect(back).toEqual(t);
  });
});
