import type { Rng } from "../../random/rng.ts";
import type { EvasionSubject } from "./subject.ts";

/** Where the features of one example lie. Without two spatial axes the "picture" is 1 high and as wide as the row. */
export interface Layout {
  readonly spatial: boolean;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Distances in the flat row between neighbouring channels, rows and columns. */
  readonly strides: readonly [number, number, number];
  /** Features that may change. */
  readonly free: Int32Array;
  readonly low: number;
  readonly high: number;
}

/** Reads [c, h, w], [h, w, c] (channels last when only the last axis is 1 to 4 long) or [h, w]; all else is a flat row. */
export function layoutOf(subject: EvasionSubject): Layout {
  const { d, shape, space } = subject;
  const free = Int32Array.from(Array(d).keys()).filter((j) => space.mask === null || space.mask[j] === 1);
  const range = { free, low: space.low, high: space.high };
  const flat: Layout = { ...range, spatial: false, channels: 1, height: 1, width: d, strides: [d, d, 1] };
  if (space.mask !== null || shape.length < 2 || shape.length > 3) return flat;
  const [a, b, c] = shape.length === 2 ? [1, shape[0]!, shape[1]!] : (shape as [number, number, number]);
  const last = a > 4 && c <= 4;
  const [channels, height, width] = last ? [c, a, b] : [a, b, c];
  // l2 starts from 5 x 5 tiles and moves windows of at least 3 x 3: on a smaller picture they reach too few directions.
  if (Math.min(height, width) < (subject.norm === "l2" ? 10 : 3)) return flat;
  const strides: Layout["strides"] = last ? [1, b * c, c] : [b * c, c, 1];
  return { ...range, spatial: true, channels, height, width, strides };
}

/** A row that is about to change: the best point so far in z, the clean one in x. */
export interface Proposal {
  readonly z: Float32Array;
  readonly zo: number;
  readonly x: Float32Array;
  readonly xo: number;
  readonly eps: number;
  readonly rng: Rng;
}

const sign = (at: Proposal): number => (at.rng.uint32() & 1 ? 1 : -1);

/** Vertical stripes of plus or minus eps, one sign for each column and channel (each feature of a flat row). */
export function startLinf(layout: Layout, at: Proposal): void {
  if (!layout.spatial) {
    for (const j of layout.free) at.z[at.zo + j] = at.x[at.xo + j]! + sign(at) * at.eps;
    return;
  }
  const { channels, height, width, strides } = layout;
  for (let c = 0; c < channels; c++) {
    for (let w = 0; w < width; w++) {
      const change = sign(at) * at.eps;
      for (let h = 0; h < height; h++) {
        const j = c * strides[0] + h * strides[1] + w * strides[2];
        at.z[at.zo + j] = at.x[at.xo + j]! + change;
      }
    }
  }
}

/** Features of a flat row that one proposal changes. */
function subset(layout: Layout, share: number, at: Proposal): number[] {
  const count = Math.min(layout.free.length, Math.max(1, Math.round(share * layout.free.length)));
  return Array.from(at.rng.choose(layout.free.length, count), (k) => layout.free[k]!);
}

function sideOf(layout: Layout, share: number, least: number): number {
  const side = Math.max(Math.round(Math.sqrt(share * layout.height * layout.width)), least);
  return Math.min(side, layout.height, layout.width);
}

/** A square (algorithm 2), or a subset of a flat row, set to x plus or minus eps: one sign for each channel (feature). */
export function proposeLinf(layout: Layout, share: number, at: Proposal): void {
  for (let attempt = 0; attempt < 8; attempt++) {
    let changed = false;
    const put = (j: number, change: number): void => {
      const wanted = Math.min(Math.max(at.x[at.xo + j]! + change, layout.low), layout.high);
      if (Math.abs(wanted - at.z[at.zo + j]!) > 1e-6 * at.eps) changed = true;
      at.z[at.zo + j] = wanted;
    };
    if (layout.spatial) {
      const side = sideOf(layout, share, 1);
      const top = at.rng.int(layout.height - side + 1);
      const left = at.rng.int(layout.width - side + 1);
      for (let c = 0; c < layout.channels; c++) {
        const change = sign(at) * at.eps;
        for (const j of window(layout, c, top, left, side)) put(j, change);
      }
    } else {
      for (const j of subset(layout, share, at)) put(j, sign(at) * at.eps);
    }
    if (changed) return;
  }
}

/** Flat indices of a square window of one channel, row by row. */
function window(layout: Layout, channel: number, top: number, left: number, side: number): number[] {
  const [cs, hs, ws] = layout.strides;
  const out: number[] = [];
  for (let h = top; h < top + side; h++) {
    for (let w = left; w < left + side; w++) out.push(channel * cs + h * hs + w * ws);
  }
  return out;
}

/** A bump of unit length on a rectangle: nested rectangles about the middle, the m-th adding 1 / m^2 (section 3.4, eta). */
function bump(height: number, width: number): Float64Array {
  const out = new Float64Array(height * width);
  const [ch, cw] = [Math.floor(height / 2), Math.floor(width / 2)];
  for (let m = 0; m < Math.max(ch, cw) + 1; m++) {
    for (let h = Math.max(ch - m, 0); h <= Math.min(ch + m, height - 1); h++) {
      for (let w = Math.max(cw - m, 0); w <= Math.min(cw + m, width - 1); w++) out[h * width + w]! += 1 / (m + 1) ** 2;
    }
  }
  return unit(out);
}

function unit(v: Float64Array): Float64Array {
  const length = Math.hypot(...v);
  return length > 0 ? v.map((a) => a / length) : v;
}

/** Two bumps of opposite sign, halves of a square, lying or standing. */
function pair(side: number, standing: boolean): Float64Array {
  const first = Math.floor(side / 2);
  const [a, b] = [bump(Math.max(first, 1), side), bump(side - first, side)];
  const out = new Float64Array(side * side);
  for (let h = 0; h < side; h++) {
    for (let w = 0; w < side; w++) {
      const value = h < first ? a[h * side + w]! : -b[(h - first) * side + w]!;
      out[standing ? w * side + h : h * side + w] = value;
    }
  }
  return unit(out);
}

/** Scales the change z - x of a row to length eps. */
function stretch(layout: Layout, at: Proposal): void {
  let sum = 0;
  for (const j of layout.free) sum += (at.z[at.zo + j]! - at.x[at.xo + j]!) ** 2;
  const scale = sum > 0 ? at.eps / Math.sqrt(sum) : 0;
  for (const j of layout.free) at.z[at.zo + j] = at.x[at.xo + j]! + scale * (at.z[at.zo + j]! - at.x[at.xo + j]!);
}

/** A 5 x 5 grid of paired bumps, one sign for each tile and channel; random signs on a flat row. Length eps. */
export function startL2(layout: Layout, at: Proposal): void {
  if (!layout.spatial) {
    for (const j of layout.free) at.z[at.zo + j] = at.x[at.xo + j]! + sign(at);
    return stretch(layout, at);
  }
  const tile = Math.floor(Math.min(layout.height, layout.width) / 5);
  const [top, left] = [(layout.height % tile) >> 1, (layout.width % tile) >> 1];
  for (let h = top; h + tile <= layout.height; h += tile) {
    for (let w = left; w + tile <= layout.width; w += tile) {
      const shape = pair(tile, at.rng.float() < 0.5);
      for (let c = 0; c < layout.channels; c++) {
        const s = sign(at);
        window(layout, c, h, w, tile).forEach((j, k) => {
          at.z[at.zo + j] = at.x[at.xo + j]! + s * shape[k]!;
        });
      }
    }
  }
  stretch(layout, at);
}

/**
 * Algorithm 3: the change on a second window is given up, and its length, with what bounds had cut off, goes into a paired
 * bump added to the direction of the change on the first window. On flat rows windows are subsets, bumps random signs.
 */
export function proposeL2(layout: Layout, share: number, at: Proposal): void {
  const change = (j: number): number => at.z[at.zo + j]! - at.x[at.xo + j]!;
  const length = (some: Iterable<number>): number => {
    let sum = 0;
    for (const j of some) sum += change(j) ** 2;
    return sum;
  };
  const unused = Math.max(at.eps * at.eps - length(layout.free), 0) / layout.channels;
  const side = sideOf(layout, share, 3) | 1;
  const fits = Math.min(side, layout.height, layout.width);
  const corner = (): [number, number] => [at.rng.int(layout.height - fits + 1), at.rng.int(layout.width - fits + 1)];
  const places = layout.spatial ? [corner(), corner()] : [];
  const shape = layout.spatial ? pair(fits, at.rng.float() < 0.5) : null;
  const flat = layout.spatial ? [] : [subset(layout, share, at), subset(layout, share, at)];
  for (let c = 0; c < layout.channels; c++) {
    const [gains, gives] = layout.spatial ? places.map(([h, w]) => window(layout, c, h!, w!, fits)) : flat;
    const budget = Math.sqrt(unused + length(new Set([...gains!, ...gives!])));
    const norm = Math.sqrt(length(gains!)) + 1e-10;
    const s = sign(at);
    const next = unit(
      Float64Array.from(
        gains!,
        (j, k) => change(j) / norm + (shape ? s * shape[k]! : sign(at) / Math.sqrt(gains!.length)),
      ),
    );
    for (const j of gives!) at.z[at.zo + j] = at.x[at.xo + j]!;
    gains!.forEach((j, k) => {
      at.z[at.zo + j] = at.x[at.xo + j]! + budget * next[k]!;
    });
  }
  stretch(layout, at);
}
