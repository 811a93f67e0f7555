import { getFloat, getInt, getInts, getString } from "../../ir/attributes.ts";
import { sizeOf } from "../../tensor/index.ts";
import {
  evenRound,
  fail,
  floatsOf,
  fromNumbers,
  intsOf,
  need,
  stridesOf,
  walkOffsets,
  type Kernel,
  type Value,
} from "./value.ts";

/** Mirrors x at the borders until it lies between them. */
function reflect(x: number, low: number, high: number): number {
  const range = high - low;
  if (range <= 0) return low;
  let at = x;
  while (at < low || at > high) at = at < low ? 2 * low - at : 2 * high - at;
  return at;
}

/** Keys' cubic kernel (1981) with a = -0.75, at distance d. */
const cubic = (d: number): number =>
  d <= 1 ? (1.25 * d - 2.25) * d * d + 1 : d < 2 ? -0.75 * (((d - 5) * d + 8) * d - 4) : 0;

/** The values of a grid of any rank at points between its entries. */
export const GridSample: Kernel = (inputs, node) => {
  const [x, grid] = [need(inputs, 0, node), need(inputs, 1, node)];
  const [n, c, ...sizes] = x.dims as [number, number, ...number[]];
  const out = grid.dims.slice(1, -1);
  if (grid.dims.at(-1) !== sizes.length)
    fail(node, `a grid of ${grid.dims.at(-1)} coordinates for ${sizes.length} axes`);
  const mode = getString(node, "mode", "linear").replace(/^bi/, "");
  const padding = getString(node, "padding_mode", "zeros");
  const corners = getInt(node, "align_corners", 0) !== 0;
  const borders = sizes.map((d): [number, number] => (corners ? [0, d - 1] : [-0.5, d - 0.5]));
  const [values, points] = [floatsOf(x), floatsOf(grid)];
  const strides = stridesOf(sizes);
  const [space, places] = [sizeOf(sizes), sizeOf(out)];
  const result = new Float64Array(n * c * places);
  const pixel = (base: number, at: readonly number[]): number => {
    let offset = base;
    for (const [a, i] of at.entries()) {
      const d = sizes[a]!;
      let k = i;
      if (k < 0 || k > d - 1) {
        if (padding === "zeros") return 0;
        k = padding === "border" ? Math.min(Math.max(k, 0), d - 1) : Math.trunc(reflect(k, ...borders[a]!));
      }
      offset += k * strides[a]!;
    }
    return values[offset]!;
  };
  const read = (base: number, at: readonly number[], done: readonly number[]): number => {
    const a = done.length;
    if (a === at.length) return pixel(base, done);
    const low = Math.floor(at[a]!);
    const t = at[a]! - low;
    if (mode === "nearest") return read(base, at, [...done, at[a]!]);
    if (mode === "linear") return (1 - t) * read(base, at, [...done, low]) + t * read(base, at, [...done, low + 1]);
    return [-1, 0, 1, 2].reduce((sum, k) => sum + cubic(Math.abs(k - t)) * read(base, at, [...done, low + k]), 0);
  };
  for (let i = 0; i < n * places; i++) {
    const at = sizes.map((d, a) => {
      const g = points[i * sizes.length + sizes.length - 1 - a]!;
      let v = corners ? ((g + 1) / 2) * (d - 1) : ((g + 1) * d - 1) / 2;
      if (mode === "nearest") v = evenRound(v);
      return padding === "reflection" ? reflect(v, ...borders[a]!) : v;
    });
    const b = Math.floor(i / places);
    for (let k = 0; k < c; k++) result[(b * c + k) * places + (i % places)] = read((b * c + k) * space, at, []);
  }
  return [fromNumbers(x.dtype, [n, c, ...out], result)];
};

/** Where an affine map takes the points of a regular grid from -1 to 1. */
export const AffineGrid: Kernel = (inputs, node) => {
  const theta = need(inputs, 0, node);
  const [n, , ...sizes] = intsOf(need(inputs, 1, node)) as [number, number, ...number[]];
  const corners = getInt(node, "align_corners", 0) !== 0;
  const rank = sizes.length;
  const t = floatsOf(theta);
  const places = sizeOf(sizes);
  const strides = stridesOf(sizes);
  const at = (i: number, d: number): number =>
    corners ? (d === 1 ? -1 : -1 + (2 * i) / (d - 1)) : -1 + (2 * i + 1) / d;
  const out = new Float64Array(n * places * rank);
  for (let k = 0; k < out.length; k++) {
    const [b, p, row] = [Math.floor(k / (places * rank)), Math.floor(k / rank) % places, k % rank];
    const base = (b * rank + row) * (rank + 1);
    out[k] = t[base + rank]!;
    for (let a = 0; a < rank; a++) {
      const axis = rank - 1 - a; // coordinates come last axis first
      out[k]! += t[base + a]! * at(Math.floor(p / strides[axis]!) % sizes[axis]!, sizes[axis]!);
    }
  }
  return [fromNumbers(theta.dtype, [n, ...sizes, rank], out)];
};

/** The weights of the four entries around a point, as RoiAlign has them: none beyond one entry outside. */
function corners(y: number, x: number, height: number, width: number): [number, number][] {
  if (y < -1 || y > height || x < -1 || x > width) return [];
  const along = (v: number, d: number): [number, number, number] => {
    const low = Math.floor(Math.max(v, 0));
    return low >= d - 1 ? [d - 1, d - 1, 0] : [low, low + 1, Math.max(v, 0) - low];
  };
  const [y0, y1, ty] = along(y, height);
  const [x0, x1, tx] = along(x, width);
  return [
    [y0 * width + x0, (1 - ty) * (1 - tx)],
    [y0 * width + x1, (1 - ty) * tx],
    [y1 * width + x0, ty * (1 - tx)],
    [y1 * width + x1, ty * tx],
  ];
}

/** Averages of features at points inside regions (He et al. 2017); "max" is, as specified, of the weighted corners. */
export const RoiAlign: Kernel = (inputs, node, opset) => {
  const [x, rois, batches] = [need(inputs, 0, node), need(inputs, 1, node), need(inputs, 2, node)];
  const [, c, height, width] = x.dims as [number, number, number, number];
  const count = rois.dims[0]!;
  const [oh, ow] = [getInt(node, "output_height", 1), getInt(node, "output_width", 1)];
  const half =
    getString(node, "coordinate_transformation_mode", opset < 16 ? "output_half_pixel" : "half_pixel") === "half_pixel";
  const scale = getFloat(node, "spatial_scale", 1);
  const max = getString(node, "mode", "avg") === "max";
  const asked = getInt(node, "sampling_ratio", 0);
  const [values, regions, of] = [floatsOf(x), floatsOf(rois), intsOf(batches)!];
  const out = new Float64Array(count * c * oh * ow);
  for (let k = 0; k < out.length; k++) {
    const [r, channel] = [Math.floor(k / (c * oh * ow)), Math.floor(k / (oh * ow)) % c];
    const [py, px] = [Math.floor(k / ow) % oh, k % ow];
    const edge = (i: number): number => regions[r * 4 + i]! * scale - (half ? 0.5 : 0);
    const size = (from: number, to: number): number =>
      half ? edge(to) - edge(from) : Math.max(edge(to) - edge(from), 1);
    const [binH, binW] = [size(1, 3) / oh, size(0, 2) / ow];
    const [gh, gw] = asked > 0 ? [asked, asked] : [Math.ceil(binH), Math.ceil(binW)];
    const base = (of[r]! * c + channel) * height * width;
    let sum = 0;
    let best = -Infinity;
    for (let iy = 0; iy < gh; iy++) {
      for (let ix = 0; ix < gw; ix++) {
        const y = edge(1) + py * binH + ((iy + 0.5) * binH) / gh;
        const terms = corners(y, edge(0) + px * binW + ((ix + 0.5) * binW) / gw, height, width);
        for (const [at, w] of terms) sum += w * values[base + at]!;
        best = Math.max(best, ...(terms.length === 0 ? [0] : terms.map(([at, w]) => w * values[base + at]!)));
      }
    }
    out[k] = max ? (best === -Infinity ? 0 : best) : sum / Math.max(gh * gw, 1);
  }
  return [fromNumbers(x.dtype, [count, c, oh, ow], out)];
};

/** The largest feature in each part of a region with whole coordinates (Girshick 2015). */
export const MaxRoiPool: Kernel = (inputs, node) => {
  const [x, rois] = [need(inputs, 0, node), need(inputs, 1, node)];
  const [, c, height, width] = x.dims as [number, number, number, number];
  const [ph, pw] = getInts(node, "pooled_shape") as [number, number];
  const scale = getFloat(node, "spatial_scale", 1);
  const [values, regions] = [floatsOf(x), floatsOf(rois)];
  const out = new Float64Array(rois.dims[0]! * c * ph * pw);
  const round = (v: number): number => Math.sign(v) * Math.floor(Math.abs(v) + 0.5); // halves away from 0
  const part = (from: number, to: number, i: number, parts: number, most: number): [number, number] => {
    const size = Math.max(to - from + 1, 1) / parts;
    const bound = (v: number): number => Math.min(Math.max(v + from, 0), most);
    return [bound(Math.floor(i * size)), bound(Math.ceil((i + 1) * size))];
  };
  for (let k = 0; k < out.length; k++) {
    const [r, channel] = [Math.floor(k / (c * ph * pw)), Math.floor(k / (ph * pw)) % c];
    const at = (i: number): number => round(regions[r * 5 + i]! * scale);
    const [y0, y1] = part(at(2), at(4), Math.floor(k / pw) % ph, ph, height);
    const [x0, x1] = part(at(1), at(3), k % pw, pw, width);
    const base = (regions[r * 5]! * c + channel) * height * width;
    let best = y1 <= y0 || x1 <= x0 ? 0 : -Infinity;
    for (let y = y0; y < y1; y++) for (let i = x0; i < x1; i++) best = Math.max(best, values[base + y * width + i]!);
    out[k] = best;
  }
  return [fromNumbers(x.dtype, [rois.dims[0]!, c, ph, pw], out)];
};

/** A convolution whose taps are moved by learned offsets and scaled by a mask (Dai et al. 2017, Zhu et al. 2019). */
export const DeformConv: Kernel = (inputs, node) => {
  const [x, w, offset] = [need(inputs, 0, node), need(inputs, 1, node), need(inputs, 2, node)];
  const [n, c, height, width] = x.dims as [number, number, number, number];
  if (x.dims.length !== 4) fail(node, "only two spatial axes");
  const [m, cg] = w.dims as [number, number];
  const [kh, kw] = w.dims.slice(2) as [number, number];
  const [oh, ow] = offset.dims.slice(2) as [number, number];
  const group = getInt(node, "group", 1);
  const offsets = getInt(node, "offset_group", 1);
  const [sh, sw] = (getInts(node, "strides") ?? [1, 1]) as [number, number];
  const [dh, dw] = (getInts(node, "dilations") ?? [1, 1]) as [number, number];
  const [top, left] = (getInts(node, "pads") ?? [0, 0, 0, 0]) as [number, number, number, number];
  const [values, weights, moves] = [floatsOf(x), floatsOf(w), floatsOf(offset)];
  const bias = inputs[3] == null ? null : floatsOf(inputs[3]);
  const mask: Float64Array | null = inputs[4] == null ? null : floatsOf(inputs[4] as Value);
  const positions = walkOffsets([n, m, oh, ow], [0, 0, 0, 0]);
  const out = new Float64Array(positions.length);
  const at = (base: number, y: number, i: number): number =>
    y < 0 || i < 0 || y >= height || i >= width ? 0 : values[base + y * width + i]!;
  for (let k = 0; k < out.length; k++) {
    const [b, o] = [Math.floor(k / (m * oh * ow)), Math.floor(k / (oh * ow)) % m];
    const [i, j] = [Math.floor(k / ow) % oh, k % ow];
    out[k] = bias?.[o] ?? 0;
    for (let channel = 0; channel < cg; channel++) {
      const source = Math.floor(o / (m / group)) * cg + channel;
      const g = Math.floor(source / (c / offsets));
      for (let tap = 0; tap < kh * kw; tap++) {
        const move = (axis: number): number =>
          moves[(((b * offsets + g) * kh * kw + tap) * 2 + axis) * oh * ow + i * ow + j]!;
        const y = i * sh - top + Math.floor(tap / kw) * dh + move(0);
        const h = j * sw - left + (tap % kw) * dw + move(1);
        const [y0, h0] = [Math.floor(y), Math.floor(h)];
        const [ty, th] = [y - y0, h - h0];
        const base = (b * c + source) * height * width;
        const read =
          (1 - ty) * ((1 - th) * at(base, y0, h0) + th * at(base, y0, h0 + 1)) +
          ty * ((1 - th) * at(base, y0 + 1, h0) + th * at(base, y0 + 1, h0 + 1));
        const scale = mask === null ? 1 : mask[((b * offsets + g) * kh * kw + tap) * oh * ow + i * ow + j]!;
        out[k]! += weights[(o * cg + channel) * kh * kw + tap]! * read * scale;
      }
    }
  }
  return [fromNumbers(x.dtype, [n, m, oh, ow], out)];
};
