import { getInt, getString, int } from "../../ir/index.ts";
import { int64 } from "../../tensor/index.ts";
import { fromFront, given, num, rankOf, refuse, sizeAt, sizes, slice, upTo, type Decomposition } from "./context.ts";

/** "To the end", beyond any size. */
const END = Number.MAX_SAFE_INTEGER;

// (y₁, y₂) = (c·x₁ - s·x₂, s·x₁ + c·x₂), the halves or the neighbours of the first entries of each head
export const RotaryEmbedding: Decomposition = (s) => {
  const { b, node } = s;
  const [x, cos, sin] = node.inputs as [string, string, string];
  const rank = rankOf(s, x);
  if (rank !== 3 && rank !== 4) return refuse(s, `an input of rank ${rank}`);
  const heads = getInt(node, "num_heads", 0);
  if (rank === 3 && heads < 1) return refuse(s, "num_heads is missing for an input of rank 3");
  const size =
    rank === 4 ? sizeAt(s, x, 3, "the size of a head") : sizeAt(s, x, 2, "the size of the embedding") / heads;
  // [batch, steps, heads, size]
  const input = rank === 4 ? b.transpose(x, [0, 2, 1, 3]) : b.reshape(x, [0, 0, heads, size]);
  const turned = getInt(node, "rotary_embedding_dim", 0) || size;
  const rest = turned === size ? null : slice(s, input, 3, turned, END);
  const part = rest === null ? input : slice(s, input, 3, 0, turned);
  const places = given(s, 3);
  const table = (name: string): string =>
    b.unsqueeze(places === null ? name : b.op("Gather", [name, places], { axis: int(0) }), [2]);
  const [c, d] = [table(cos), table(sin)];
  const between = getInt(node, "interleaved", 0) !== 0;
  const [x1, x2] = between
    ? [slice(s, part, 3, 0, END, 2), slice(s, part, 3, 1, END, 2)]
    : [slice(s, part, 3, 0, turned / 2), slice(s, part, 3, turned / 2, turned)];
  const real = b.sub(b.mul(c, x1), b.mul(d, x2));
  const imaginary = b.add(b.mul(d, x1), b.mul(c, x2));
  const joined = between
    ? b.reshape(b.op("Concat", [b.unsqueeze(real, [4]), b.unsqueeze(imaginary, [4])], { axis: int(4) }), [
        0,
        0,
        0,
        turned,
      ])
    : b.op("Concat", [real, imaginary], { axis: int(3) });
  const whole = rest === null ? joined : b.op("Concat", [joined, rest], { axis: int(3) });
  return [rank === 4 ? b.transpose(whole, [0, 2, 1, 3]) : b.reshapeLike(whole, x)];
};

// The cache with the update put at start[n], start[n] + 1, … along an axis
export const TensorScatter: Decomposition = (s) => {
  const { b, node } = s;
  const [past, update] = node.inputs as [string, string];
  const rank = rankOf(s, past);
  const axis = fromFront(s, getInt(node, "axis", -2), rank);
  const steps = sizeAt(s, update, axis, "the length of the update");
  const along = (values: string, a: number): string =>
    b.unsqueeze(
      values,
      upTo(rank).filter((i) => i !== a),
    );
  let places = along(b.constant(int64([steps], upTo(steps))), axis);
  const starts = given(s, 2);
  if (starts !== null) places = b.add(places, along(starts, 0));
  if (getString(node, "mode", "linear") === "circular") {
    places = b.op("Mod", [places, sizes(s, past, axis, axis + 1)]);
  }
  const spread = b.op("Expand", [places, b.shapeOf(update)]);
  return [b.op("ScatterElements", [past, spread, update], { axis: int(axis) })];
};

// By doubling: after step k every entry is the product of the 2ᵏ entries up to it
export const CumProd: Decomposition = (s) => {
  const { b, node } = s;
  const x = node.inputs[0]!;
  const rank = rankOf(s, x);
  const axis = fromFront(s, s.numbers(node.inputs[1])?.[0] ?? refuse(s, "its axis is known only at run time"), rank);
  const size = sizeAt(s, x, axis, "the length of its axis");
  const reverse = getInt(node, "reverse", 0) !== 0;
  /** Moved by n entries towards the end (or the beginning), with ones coming in. */
  const shifted = (value: string, n: number): string => {
    const some = (amount: number): number[] => upTo(rank).map((a) => (a === axis ? amount : 0));
    const padded = b.op("Pad", [
      value,
      b.indices(reverse ? [...some(0), ...some(n)] : [...some(n), ...some(0)]),
      num(s, 1),
    ]);
    return reverse ? slice(s, padded, axis, n, END) : slice(s, padded, axis, 0, size);
  };
  let y = x;
  for (let n = 1; n < size; n *= 2) y = b.mul(y, shifted(y, n));
  return [getInt(node, "exclusive", 0) !== 0 ? shifted(y, 1) : y];
};
