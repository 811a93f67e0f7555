import {
  getInt,
  getInts,
  getString,
  GraphBuilder,
  int,
  ints,
  type Dim,
  type DimsOf,
  type Graph,
  type Node,
} from "../../ir/index.ts";
import { float32, type Tensor } from "../../tensor/index.ts";

/**
 * Convolutions 3 x 3 of stride 1 by minimal filtering, F(4 x 4, 3 x 3) of Winograd 1980 as used by Lavin & Gray 2016,
 * section 4.3: tiles of 6 x 6 inputs and the kernels are brought into 36 values each, and 36 products of matrices replace
 * a convolution of four times as many multiplications. The gradients, which the usual rules make from these nodes, need a
 * quarter of the multiplications as well, and no columns of patches. Values differ from the direct form by some 1e-6 of
 * their size.
 *
 * Only where it pays: enough channels on both sides (C M / (C + M) of at least `leastChannels`), and sizes that the tiles
 * fit. `dimsOf` tells the shapes of values. Value names stay.
 */
export function winograd(graph: Graph, dimsOf: DimsOf, leastChannels = LEAST_CHANNELS): Graph {
  const b = GraphBuilder.rewriting(graph);
  let changed = false;
  for (const node of graph.nodes) {
    const form = formOf(node, dimsOf, leastChannels);
    if (form === null) b.append(node);
    else {
      const isInput = graph.inputs.some((v) => v.name === node.inputs[1]);
      append(b, node, form, isInput ? null : (graph.constants.get(node.inputs[1]!) ?? null));
      changed = true;
    }
  }
  if (!changed) return graph;
  return b.build();
}

/** Along one axis: sizes of input and output, padding in front, number of tiles. */
interface Axis {
  readonly size: number;
  readonly out: number;
  readonly pad: number;
  readonly tiles: number;
}

interface Form {
  readonly from: number;
  readonly to: number;
  readonly rows: Axis;
  readonly columns: Axis;
}

const OUT = 4;
const TILE = 6;
/** From which on in a training step fewer products outweigh the way into tiles and back (bench/results/training.md). */
const LEAST_CHANNELS = 32;
/** Pixels of a map up to which its tiles are: they cost the less time for a byte, the smaller the map is. */
const SOON = 8 * 8;
/** Least gain in multiplications, of 4 where tiles fit exactly. */
const LEAST_GAIN = 2.5;

function formOf(node: Node, dimsOf: DimsOf, leastChannels: number): Form | null {
  if (node.op !== "Conv" || (node.domain !== "" && node.domain !== "ai.onnx")) return null;
  const [x, w] = [dimsOf(node.inputs[0]!), dimsOf(node.inputs[1]!)];
  if (x?.length !== 4 || w?.length !== 4 || !w.every((d) => typeof d === "number")) return null;
  const [to, from, kh, kw] = w as number[];
  const plain = (name: string): boolean => (getInts(node, name) ?? [1, 1]).every((v) => v === 1);
  if (kh !== 3 || kw !== 3 || !plain("strides") || !plain("dilations") || getInt(node, "group", 1) !== 1) return null;
  if (!["NOTSET", ""].includes(getString(node, "auto_pad", "NOTSET"))) return null;
  const [top, left, bottom, right] = getInts(node, "pads") ?? [0, 0, 0, 0];
  const axis = (size: Dim | undefined, before: number, after: number): Axis | null => {
    if (typeof size !== "number") return null;
    const out = size + before + after - 2;
    return out < 1 ? null : { size, out, pad: before, tiles: Math.ceil(out / OUT) };
  };
  const [rows, columns] = [axis(x[2], top!, bottom!), axis(x[3], left!, right!)];
  if (rows === null || columns === null || (from! * to!) / (from! + to!) < leastChannels) return null;
  const gain = (9 * rows.out * columns.out) / (TILE ** 2 * rows.tiles * columns.tiles);
  return gain < LEAST_GAIN ? null : { from: from!, to: to!, rows, columns };
}

/** Appends the convolution; its tiles stand in front of examples and channels, so that each step is one matrix product. */
function append(b: GraphBuilder, node: Node, { from, to, rows, columns }: Form, weights: Tensor | null): void {
  const [x, w, bias] = node.inputs as [string, string, string?];
  const [tr, tc] = [rows.tiles, columns.tiles];
  const float = weights?.dtype === "float32";
  const kernels = float ? constantKernels(b, weights as Tensor<"float32">) : kernelsOf(b, w, from, to);
  const places = b.transpose(b.reshape(x, [0, from, rows.size * columns.size]), [2, 0, 1]);
  const down = b.matmul(intoTiles(b, rows), b.reshape(places, [rows.size, -1]));
  const across = b.matmul(intoTiles(b, columns), b.reshape(down, [TILE * tr, columns.size, -1]));
  const one = tr === 1 && tc === 1;
  const apart = one ? across : b.transpose(b.reshape(across, [TILE, tr, TILE, tc, -1]), [0, 2, 1, 3, 4]);
  const shape = b.indices(float ? [1, TILE ** 2, -1, from] : [TILE ** 2, -1, from]);
  const soon = rows.size * columns.size <= SOON;
  const products = b.matmul(b.op("Reshape", [apart, shape], {}, soon ? AGAIN : "winograd.tiles"), kernels);
  const joined = one
    ? b.reshape(products, [TILE, TILE, -1])
    : b.reshape(b.transpose(b.reshape(products, [TILE, TILE, tr, tc, -1]), [0, 2, 1, 3, 4]), [
        TILE * tr,
        TILE * tc,
        -1,
      ]);
  const inward = b.matmul(outOfTiles(b, columns), joined);
  const upward = b.matmul(outOfTiles(b, rows), b.reshape(inward, [TILE * tr, -1]));
  const flat = b.transpose(b.reshape(upward, [rows.out * columns.out, -1, to]), [1, 2, 0]);
  const shaped = { inputs: [flat, b.indices([0, to, rows.out, columns.out])], op: "Reshape" };
  const y = node.outputs[0]!;
  if (bias === undefined || bias === "") {
    b.append({ ...shaped, domain: "", name: node.name || y, outputs: [y], attributes: {} });
    return;
  }
  const plain = b.op("Reshape", shaped.inputs);
  const inputs = [plain, b.reshape(bias, [to, 1, 1])];
  b.append({ op: "Add", domain: "", name: node.name || y, inputs, outputs: [y], attributes: {} });
}

/** The 36 matrices [from, to] of the kernels: [to, from] as they come, and turned where a product reads them. */
function kernelsOf(b: GraphBuilder, w: string, from: number, to: number): string {
  const long = b.op("Gemm", [matrixOf(b), b.reshape(w, [-1, 9])], { transB: int(1) }, AGAIN);
  const apart = b.op("Reshape", [long, b.indices([TILE ** 2, to, from])], {}, AGAIN);
  return b.op("Transpose", [apart], { perm: ints([0, 2, 1]) }, AGAIN);
}

/**
 * The same, [1, 36, from, to], of weights that never change: ONNX Runtime computes it once, when it loads the model. As a
 * convolution of 1 x 1 it comes out in its place; each reshaping on the way would be another copy of four times the weights.
 */
function constantKernels(b: GraphBuilder, weights: Tensor<"float32">): string {
  const [to, from] = weights.dims as [number, number];
  const data = new Float32Array(weights.data.length);
  for (let m = 0; m < to; m++) {
    for (let c = 0; c < from; c++) {
      for (let k = 0; k < 9; k++) data[(k * from + c) * to + m] = weights.data[(m * from + c) * 9 + k]!;
    }
  }
  const matrix = b.constant(float32([TILE ** 2, 9, 1, 1], kernelMatrix), "winograd.kernel");
  return b.op("Conv", [b.constant(float32([1, 9, from, to], data), "winograd.weights"), matrix]);
}

/** How the names of values begin that are large and soon made, so that a backward pass makes its own (`remake`). */
export const AGAIN = "winograd.again";
const matrixOf = (b: GraphBuilder): string => b.constant(float32([TILE ** 2, 9], kernelMatrix), "winograd.matrix");

// Transforms for the points 0, 1, -1, 2, -2 and infinity: output = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A.
const INPUT = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 4, 0, -5, 0, 1],
];
const KERNEL = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
];
const OUTPUT = [
  [1, 1, 1, 1, 1, 0],
  [0, 1, -1, 2, -2, 0],
  [0, 1, 1, 4, 4, 0],
  [0, 1, -1, 8, -8, 1],
];

/** G ⊗ G: [36, 9]. */
const kernelMatrix = Float32Array.from(
  KERNEL.flatMap((r) => KERNEL.flatMap((c) => r.flatMap((u) => c.map((v) => u * v)))),
);

/** The input transform of all tiles along an axis at once, padding included: [6 · tiles, size]. */
function intoTiles(b: GraphBuilder, { size, pad, tiles }: Axis): string {
  const data = new Float32Array(TILE * tiles * size);
  for (let k = 0; k < TILE; k++) {
    for (let t = 0; t < tiles; t++) {
      for (let j = 0; j < TILE; j++) {
        const at = OUT * t + j - pad;
        if (at >= 0 && at < size) data[(k * tiles + t) * size + at] = INPUT[k]![j]!;
      }
    }
  }
  return b.constant(float32([TILE * tiles, size], data), "winograd.tiles");
}

/** The output transform of all tiles along an axis at once: [out, 6 · tiles]. */
function outOfTiles(b: GraphBuilder, { out, tiles }: Axis): string {
  const data = new Float32Array(out * TILE * tiles);
  for (let at = 0; at < out; at++) {
    for (let k = 0; k < TILE; k++) data[at * TILE * tiles + k * tiles + Math.floor(at / OUT)] = OUTPUT[at % OUT]![k]!;
  }
  return b.constant(float32([out, TILE * tiles], data), "winograd.outputs");
}
