import { getInt, int } from "../../ir/index.ts";
import { int64 } from "../../tensor/index.ts";
import { floats, fromFront, given, rankOf, refuse, sizeAt, upTo, type Decomposition, type Site } from "./context.ts";

interface Transform {
  /** Entries of the input along the axis, and numbers for each: 1 real, 2 complex. */
  readonly from: number;
  readonly parts: number;
  readonly length: number;
  readonly inverse: boolean;
  readonly onesided: boolean;
}

/** The transform of an axis as one matrix [entries · parts, bins · parts]: it is linear. */
function matrixOf(
  s: Site,
  { from, parts, length, inverse, onesided }: Transform,
): { matrix: string; bins: number; outs: number } {
  const real = inverse && onesided;
  const bins = !real && onesided ? Math.floor(length / 2) + 1 : length;
  const outs = real ? 1 : 2;
  if (parts !== 1 && parts !== 2) return refuse(s, `its last axis has ${parts} entries; expected 1 or 2`);
  if (length < 1) return refuse(s, `a transform of length ${length}`);
  if (from * parts * bins * outs > 2 ** 24)
    return refuse(s, `a transform of ${from} to ${bins} entries is too large to be a matrix`);
  const columns = bins * outs;
  const values = new Float64Array(from * parts * columns);
  const have = Math.min(from, real ? Math.floor(length / 2) + 1 : length);
  for (let i = 0; i < have; i++) {
    for (let bin = 0; bin < bins; bin++) {
      const angle = ((inverse ? 2 : -2) * Math.PI * ((i * bin) % length)) / length;
      // Of a real signal the half that is not given mirrors the one that is.
      const scale = (inverse ? 1 / length : 1) * (real && i > 0 && 2 * i !== length ? 2 : 1);
      const [c, d] = [scale * Math.cos(angle), scale * Math.sin(angle)];
      const at = (part: number, out: number): number => (i * parts + part) * columns + bin * outs + out;
      values[at(0, 0)] = c;
      if (!real) values[at(0, 1)] = d;
      if (parts === 2) values[at(1, 0)] = -d;
      if (parts === 2 && !real) values[at(1, 1)] = c;
    }
  }
  return { matrix: floats(s, [from * parts, columns], values), bins, outs };
}

/** Applies the matrix to [..., entries, parts]. */
function transformed(s: Site, value: string, rank: number, how: Transform): string {
  const { b } = s;
  const { matrix, bins, outs } = matrixOf(s, how);
  const lead = upTo(rank - 2).map(() => 0);
  return b.reshape(b.matmul(b.reshape(value, [...lead, -1]), matrix), [...lead, bins, outs]);
}

const numberOf = (s: Site, i: number, what: string): number | null => {
  if (given(s, i) === null) return null;
  return s.numbers(s.node.inputs[i])?.[0] ?? refuse(s, `${what} is known only at run time`);
};

// y[k] = Σ x[i]·e^(-2πi·ik/n), one matrix product: complex numbers are pairs on the last axis
export const DFT: Decomposition = (s) => {
  const { b, node } = s;
  const x = node.inputs[0]!;
  const rank = rankOf(s, x);
  const axis = fromFront(s, s.opset < 20 ? getInt(node, "axis", 1) : (numberOf(s, 2, "its axis") ?? -2), rank);
  const [inverse, onesided] = [getInt(node, "inverse", 0) !== 0, getInt(node, "onesided", 0) !== 0];
  const [from, parts] = [sizeAt(s, x, axis, "the length of its axis"), sizeAt(s, x, rank - 1, "its last axis")];
  const length = numberOf(s, 1, "its length") ?? (inverse && onesided ? 2 * (from - 1) : from);
  // The axis goes to the place before the last one, and back.
  const perm = [...upTo(rank - 1).filter((a) => a !== axis), axis, rank - 1];
  const moved = axis === rank - 2 ? x : b.transpose(x, perm);
  const y = transformed(s, moved, rank, { from, parts, length, inverse, onesided });
  const back = upTo(rank).map((a) => perm.indexOf(a));
  return [axis === rank - 2 ? y : b.transpose(y, back)];
};

// Frames cut from the signal, times the window, transformed
export const STFT: Decomposition = (s) => {
  const { b, node } = s;
  const signal = node.inputs[0]!;
  if (rankOf(s, signal) !== 3) return refuse(s, "a signal without its last axis; expected [batch, length, 1 or 2]");
  const [size, parts] = [sizeAt(s, signal, 1, "the length of the signal"), sizeAt(s, signal, 2, "its last axis")];
  const step = numberOf(s, 1, "frame_step")!;
  const window = given(s, 2);
  const own = window === null ? size : sizeAt(s, window, 0, "the length of the window");
  const length = numberOf(s, 3, "frame_length") ?? own;
  const frames = 1 + Math.floor((size - length) / step);
  if (!(step > 0) || frames < 1 || (window !== null && own !== length))
    return refuse(s, "frames that do not fit its signal or window");
  const at = upTo(frames).flatMap((f) => upTo(length).map((i) => f * step + i));
  if (at.length > 2 ** 22) return refuse(s, `${frames} frames of ${length} entries`);
  const cut = b.op("Gather", [signal, b.constant(int64([frames, length], at))], { axis: int(1) });
  const weighed = window === null ? cut : b.mul(cut, b.unsqueeze(window, [1]));
  const onesided = getInt(node, "onesided", 1) !== 0;
  return [transformed(s, weighed, 4, { from: length, parts, length, inverse: false, onesided })];
};
