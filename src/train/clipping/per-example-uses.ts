import type { GradientContext } from "../../grad/index.ts";
import { overExamples, patches } from "../../grad/rules/conv.ts";
import { groupOf, readWindow } from "../../grad/rules/window.ts";
import { getFloat, getInt, int, tensorAttribute, type GraphBuilder, type Node } from "../../ir/index.ts";
import { SMALL_TABLE } from "../../rewrite/index.ts";
import { float32, int64 } from "../../tensor/index.ts";
import type { Known } from "./batch-axis.ts";

/** A place where a parameter is used, and the value `at` whose gradient tells the parameter's. */
export interface Site {
  readonly kind: "linear" | "gemm-bias" | "conv" | "channel-bias" | "gather" | "each";
  readonly node: Node;
  readonly at: string;
  /** Shape of the parameter as it stands here. */
  readonly dims: readonly number[];
  /** Kind "each": number of axes in front of the parameter's own, the examples included. */
  readonly skip?: number;
}

/** The gradients of one use. Each method appends nodes. `N` examples, parameter of shape [...dims]. */
export interface Use {
  /** All of them: [N, ...dims]. */
  each(): string;
  /** Squared norms [N] by a way of its own, with `sum`, where that is cheaper; else null. */
  readonly ghost: (() => string) | null;
  /** Their sum, weighted with c [N]: [...dims]. */
  sum(c: string): string;
}

/** What can be done with a use, in the graph of `b`; a string says why nothing can. `dy` is the gradient of `at`. */
export function useOf(b: GraphBuilder, site: Site, dy: string, known: Known): Use | string {
  switch (site.kind) {
    case "linear":
      return linear(b, site, dy, known);
    case "conv":
      return conv(b, site, dy, known);
    case "gather":
      return gather(b, site, dy, known);
    case "gemm-bias": {
      const scaled = times(b, dy, getFloat(site.node, "beta", 1));
      const size = site.dims.reduce((p, d) => p * d, 1);
      const width = known.dims(site.at)?.[1];
      const rows = size === width ? scaled : size === 1 ? b.reduceSum(scaled, [1], true) : null;
      return rows === null ? "has a bias of a form that cannot be bounded" : ofRows(b, rows, site.dims);
    }
    case "channel-bias": {
      const rank = known.dims(site.at)!.length;
      const axes = Array.from({ length: rank - 2 }, (_, i) => i + 2);
      return ofRows(b, axes.length === 0 ? dy : b.reduceSum(dy, axes, false), site.dims);
    }
    case "each":
      return ofRows(b, dy, site.dims);
  }
}

const times = (b: GraphBuilder, v: string, factor: number): string => (factor === 1 ? v : b.mul(v, b.scalar(factor)));
const squares = (b: GraphBuilder, v: string, axes: readonly number[]): string =>
  b.op("ReduceSumSquare", [v, b.indices(axes)], { keepdims: int(0) });
const weighted = (b: GraphBuilder, v: string, c: string, rank: number): string =>
  b.mul(
    v,
    rank === 1
      ? c
      : b.unsqueeze(
          c,
          Array.from({ length: rank - 1 }, (_, i) => i + 1),
        ),
  );
const swap = (b: GraphBuilder, v: string): string => b.transpose(v, [0, 2, 1]);
const product = (dims: readonly unknown[]): number | null =>
  dims.every((d) => typeof d === "number") ? (dims as number[]).reduce((p, d) => p * d, 1) : null;

/** A use whose per-example gradients are there already, in rows of any shape. */
function ofRows(b: GraphBuilder, rows: string, dims: readonly number[]): Use {
  const size = dims.reduce((p, d) => p * d, 1);
  const flat = b.reshape(rows, [-1, size]);
  return {
    each: () => b.reshape(flat, [-1, ...dims]),
    ghost: () => squares(b, flat, [1]),
    sum: (c) => b.reshape(b.matmul(b.unsqueeze(c, [0]), flat), dims),
  };
}

/**
 * Norms through the T x T products of the rows of each example, and the sum by a product of its own, against a product for
 * each example, which is then read twice (some twelve multiplications' time for an entry) and kept until all norms are known.
 */
const MOST_KEPT = 2 ** 18;
function ghostPays(positions: number | null, d: number, p: number): boolean {
  if (positions === null) return false;
  return positions ** 2 * (d + p) < 12 * d * p || (d * p > MOST_KEPT && 2 * positions ** 2 < d * p);
}

/** dW_n = sum over positions t of a_t b_t', so |dW_n|^2 = sum over s, t of (a_s . a_t)(b_s . b_t). a [N, T, d], b [N, T, p]. */
const gram = (b: GraphBuilder, a: string, g: string): string =>
  b.op("Relu", [b.reduceSum(b.mul(b.matmul(a, swap(b, a)), b.matmul(g, swap(b, g))), [1, 2], false)]);

function linear(b: GraphBuilder, site: Site, dy0: string, known: Known): Use | string {
  const { node, dims } = site;
  const gemm = node.op === "Gemm";
  const turned = gemm && getInt(node, "transB", 0) !== 0;
  const dy = gemm ? times(b, dy0, getFloat(node, "alpha", 1)) : dy0;
  const a = node.inputs[0]!;
  const shape = known.dims(a)!;
  const [d, p] = turned ? [dims[1]!, dims[0]!] : [dims[0]!, dims[1]!];
  const dot = (x: string, y: string): string => b.op("Gemm", [x, y], { transA: int(1) });
  if (shape.length === 1) return "has an input of one axis";
  if (shape.length === 2) {
    return {
      each: () =>
        turned ? b.mul(b.unsqueeze(dy, [2]), b.unsqueeze(a, [1])) : b.mul(b.unsqueeze(a, [2]), b.unsqueeze(dy, [1])),
      ghost: () => b.mul(squares(b, a, [1]), squares(b, dy, [1])),
      sum(c) {
        const g = weighted(b, dy, c, 2);
        return turned ? dot(g, a) : dot(a, g);
      },
    };
  }
  const rows = shape.length === 3 ? a : b.reshape(a, [0, -1, d]);
  const back = shape.length === 3 ? dy : b.reshape(dy, [0, -1, p]);
  return overTime(b, rows, back, product(shape.slice(1, -1)), d, p);
}

/** A linear layer [d, p] over positions: rows [N, T, d] in, gradients [N, T, p] out. */
function overTime(b: GraphBuilder, rows: string, back: string, positions: number | null, d: number, p: number): Use {
  return {
    each: () => b.matmul(swap(b, rows), back),
    ghost: ghostPays(positions, d, p) ? () => gram(b, rows, back) : null,
    sum: (c) =>
      b.op("Gemm", [b.reshape(rows, [-1, d]), b.reshape(weighted(b, back, c, 3), [-1, p])], { transA: int(1) }),
  };
}

/** Whether a use is one of `joined`: x·W over positions. */
export const joins = ({ kind, node, dims }: Site, known: Known): boolean =>
  kind === "linear" && node.op === "MatMul" && dims.length === 2 && known.dims(node.inputs[0]!)?.length === 3;

/** Several uses of one weight, as in a recurrence, as one: their positions stand one behind the other. */
export function joined(b: GraphBuilder, sites: readonly { site: Site; dy: string }[], known: Known): Use {
  const [d, p] = sites[0]!.site.dims as [number, number];
  const join = (values: string[]): string => b.op("Concat", values, { axis: int(1) });
  const lengths = sites.map(({ site }) => known.dims(site.node.inputs[0]!)![1]);
  const positions = lengths.reduce<number | null>((n, t) => (n !== null && typeof t === "number" ? n + t : null), 0);
  const rows = join(sites.map(({ site }) => site.node.inputs[0]!));
  return overTime(b, rows, join(sites.map(({ dy }) => dy)), positions, d, p);
}

function conv(b: GraphBuilder, site: Site, dy: string, known: Known): Use | string {
  const { node, dims } = site;
  const x = node.inputs[0]!;
  const shape = known.dims(site.at);
  const cx: GradientContext = {
    b,
    node,
    wants: () => true,
    shape: known.dims,
    dtype: () => "float32",
    constant: () => null,
  };
  const window = readWindow(cx, dims.slice(2), x);
  const group = groupOf(cx);
  const [m, c] = [dims[0]!, dims[1]!];
  const taps = window.kernel.reduce((n, k) => n * k, 1);
  const columns = b.reshape(patches(cx, x, c * group, window), [0, group * c * taps, -1]);
  const g = b.reshape(dy, [0, m, -1]);
  const each = (): string => {
    if (group === 1) return b.reshape(b.matmul(g, swap(b, columns)), [0, ...dims]);
    const left = b.reshape(g, [0, group, m / group, -1]);
    const right = b.transpose(b.reshape(columns, [0, group, c * taps, -1]), [0, 1, 3, 2]);
    return b.reshape(b.matmul(left, right), [0, ...dims]);
  };
  const positions = shape === null ? null : product(shape.slice(2));
  const pays = group === 1 && ghostPays(positions, m, c * taps);
  // The second factor of a product is copied into the order in which it is read: the smaller one.
  if (group === 1 && !pays && c * taps > m) {
    let turned: string | null = null;
    const eachTurned = (): string => (turned ??= b.reshape(b.matmul(columns, swap(b, g)), [0, m * c * taps]));
    return {
      each,
      ghost: () => squares(b, eachTurned(), [1]),
      sum(w) {
        const sum = b.reshape(b.matmul(b.unsqueeze(w, [0]), eachTurned()), [c * taps, m]);
        return b.reshape(b.transpose(sum, [1, 0]), dims);
      },
    };
  }
  return {
    each,
    ghost: pays ? () => gram(b, swap(b, columns), swap(b, g)) : null,
    sum(w) {
      if (group === 1) return b.reshape(overExamples(b, weighted(b, g, w, 3), columns, m, c * taps), dims);
      return b.reshape(b.matmul(b.unsqueeze(w, [0]), b.reshape(each(), [-1, m * c * taps])), dims);
    },
  };
}

/** dW_n = at each row of the table, the sum of b over the positions that read it. */
function gather(b: GraphBuilder, site: Site, dy: string, known: Known): Use | string {
  const { node, dims } = site;
  if (getInt(node, "axis", 0) !== 0 || dims.length !== 2) return "reads a table along another axis than its rows";
  if (known.dims(node.inputs[1]!) === null) return "has indices of unknown rank";
  const [entries, width] = dims as [number, number];
  const g = b.reshape(dy, [0, -1, width]);
  const long = b.op("Cast", [node.inputs[1]!], { to: int(7) });
  const zero = b.constant(int64([1], [0]));
  const turned = b.op("Where", [b.op("Less", [long, zero]), b.add(long, b.constant(int64([1], [entries]))), long]);
  const ids = b.reshape(turned, [0, -1]);
  /** Which position read which row, [..., entries]. */
  const reads = (of: string): string =>
    b.op("OneHot", [of, b.constant(int64([1], [entries])), b.constant(float32([2], [0, 1]))], { axis: int(-1) });
  return {
    each: () => b.matmul(swap(b, reads(ids)), g),
    ghost() {
      const same = b.op("Cast", [b.op("Equal", [b.unsqueeze(ids, [2]), b.unsqueeze(ids, [1])])], { to: int(1) });
      return b.op("Relu", [b.reduceSum(b.mul(same, b.matmul(g, swap(b, g))), [1, 2], false)]);
    },
    sum(c) {
      const updates = b.reshape(weighted(b, g, c, 3), [-1, width]);
      if (entries <= SMALL_TABLE) return b.op("Gemm", [reads(b.reshape(ids, [-1])), updates], { transA: int(1) });
      const rows = b.op("Expand", [b.reshape(ids, [-1, 1]), b.shapeOf(updates)]);
      const zeros = b.op("ConstantOfShape", [b.indices(dims)], { value: tensorAttribute(float32([1], [0])) });
      return b.op("ScatterElements", [zeros, rows, updates], {
        axis: int(0),
        reduction: { type: "string", value: new TextEncoder().encode("add") },
      });
    },
  };
}
