import { getInt, getString, int } from "../../ir/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { bordersOf, reflect, sampled, weighted, type Axis, type Sampling } from "./between-entries.ts";
import { floats, num, rankOf, refuse, sizeAt, sizes, upTo, whole, type Decomposition } from "./context.ts";

/** Names of the modes before opset 20. */
const modes: Readonly<Record<string, Sampling["mode"]>> = {
  nearest: "nearest",
  linear: "linear",
  bilinear: "linear",
  cubic: "cubic",
  bicubic: "cubic",
};

// y[n, c, o] = Σ over the entries around the point grid[n, o] of weight·x; by x through the entries, by grid through the weights
export const GridSample: Decomposition = (s) => {
  const { b, node } = s;
  const [x, grid] = node.inputs as [string, string];
  const rank = rankOf(s, x) - 2;
  const mode = modes[getString(node, "mode", "linear")] ?? refuse(s, `mode ${getString(node, "mode", "")}`);
  const padding = getString(node, "padding_mode", "zeros") as Sampling["padding"];
  const corners = getInt(node, "align_corners", 0) !== 0;
  if (!["zeros", "border", "reflection"].includes(padding)) return refuse(s, `padding_mode ${padding}`);
  const channels = sizeAt(s, x, 1, "the number of channels");
  const axes = upTo(rank).map((a): Axis => {
    const size = sizeAt(s, x, a + 2, "the size of an axis");
    const own = b.reshape(b.op("Gather", [grid, whole(s, rank - 1 - a)], { axis: int(-1) }), [0, -1]);
    // From -1 .. 1 to entries.
    const [scale, shift] = corners ? [(size - 1) / 2, (size - 1) / 2] : [size / 2, (size - 1) / 2];
    let at = b.add(b.mul(own, num(s, scale)), num(s, shift));
    if (mode === "nearest") at = b.op("Round", [at]);
    if (padding === "reflection") at = reflect(s, at, ...bordersOf(size, corners));
    return { at, size };
  });
  const values = weighted(s, sampled(s, x, axes, { mode, padding, corners }, channels));
  const shape = b.op("Concat", [sizes(s, x, 0, 2), sizes(s, grid, 1, -1)], { axis: int(0) });
  return [b.op("Reshape", [b.transpose(values, [0, 2, 1]), shape], { allowzero: int(1) })];
};

// grid = (regular grid, 1)·θᵀ
export const AffineGrid: Decomposition = (s) => {
  const { b, node } = s;
  const theta = node.inputs[0]!;
  const known = s.numbers(node.inputs[1])?.slice(2) ?? s.dims(node.outputs[0])?.slice(1, -1);
  if (known === undefined || !known.every((d) => typeof d === "number"))
    return refuse(s, "its size is known only at run time");
  const space = known as number[];
  const places = sizeOf(space);
  if (places > 2 ** 22) return refuse(s, `a grid of ${places} points`);
  const corners = getInt(node, "align_corners", 0) !== 0;
  const at = (i: number, d: number): number =>
    corners ? (d === 1 ? -1 : -1 + (2 * i) / (d - 1)) : -1 + (2 * i + 1) / d;
  const base = new Float64Array(places * (space.length + 1)).fill(1);
  for (let p = 0; p < places; p++) {
    let rest = p;
    for (const [a, d] of space.toReversed().entries()) {
      base[p * (space.length + 1) + a] = at(rest % d, d);
      rest = Math.floor(rest / d);
    }
  }
  const points = b.matmul(floats(s, [places, space.length + 1], base), b.transpose(theta, [0, 2, 1]));
  return [b.reshape(points, [-1, ...space, space.length])];
};
