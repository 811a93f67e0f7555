import type { Rng } from "../../random/index.ts";
import { assemble } from "../assemble.ts";
import type { Dataset } from "../dataset.ts";
import { styles, trace, type Point } from "./strokes.ts";

const SIDE = 28;
const GRID = 4;
const STEPS = 7;

export interface DigitOptions {
  /** Put before each row id, so that training and test rows have different ones. */
  readonly prefix?: string;
  /** How sloppy the writing is: 1 as calibrated, 0 as printed from the pen's model way. */
  readonly slop?: number;
}

/**
 * Drawn digits like handwriting, 28 x 28 grey values 0 to 255, shape [count, 1, 28, 28]: a pen's way in one of several
 * styles, with jitter, slant, rotation, size, elastic distortion, varying stroke width, blur, ink and noise. Image i draws
 * from its own child of `rng` and with arithmetic that is exact on every machine: the first images of a larger set are the smaller set.
 */
export function drawDigits(count: number, rng: Rng, options: DigitOptions = {}): Dataset {
  const values = new Float32Array(count * SIDE * SIDE);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const stream = rng.child(i);
    labels[i] = stream.int(10);
    drawDigit(labels[i]!, stream, values.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE), options.slop ?? 1);
  }
  return assemble({
    name: "drawn digits",
    dims: [count, 1, SIDE, SIDE],
    values,
    labels,
    classNames: Array.from({ length: 10 }, (_, i) => String(i)),
    rowIds: Array.from({ length: count }, (_, i) => `${options.prefix ?? ""}${i}`),
    storedAs: "uint8",
  });
}

/** Draws one digit into `out`, 784 values. */
function drawDigit(digit: number, rng: Rng, out: Float32Array, slop = 1): void {
  const ways = styles[digit]!;
  const way = ways[rng.int(ways.length)]!;
  const hand = pose(rng, slop);
  const width = 0.75 + 1.05 * rng.float();
  const ink = new Float32Array(SIDE * SIDE);
  for (const stroke of way) {
    const shaky = stroke.points.map(([x, y]): Point => [
      x + 0.045 * slop * rng.normal(),
      y + 0.035 * slop * rng.normal(),
    ]);
    const dots = trace({ kind: stroke.kind, points: shaky }, STEPS).map(hand);
    const press = rng.normal() * 0.2 * slop;
    for (let i = 0; i + 1 < dots.length; i++) {
      const along = i / dots.length - 0.5;
      segment(ink, dots[i]!, dots[i + 1]!, width * Math.max(0.5, 1 + 2 * press * along));
    }
  }
  develop(ink, rng, out);
}

/** Where the points of the unit box come to lie on the paper: affine, then a smooth field of random shifts. */
function pose(rng: Rng, slop: number): (point: Point) => Point {
  const t = 0.075 * slop * rng.normal(); // tan of half the angle: rotation without cos and sin
  const cos = (1 - t * t) / (1 + t * t);
  const sin = (2 * t) / (1 + t * t);
  const slant = slop * (0.14 + 0.2 * rng.normal());
  const wide = 12.5 * (1 + 0.13 * slop * rng.normal());
  const high = 18.5 * (1 + 0.07 * slop * rng.normal());
  const left = 13.5 + 0.9 * slop * rng.normal();
  const top = 13.5 + 0.9 * slop * rng.normal();
  const shifts = new Float64Array(2 * GRID * GRID);
  rng.fillNormal(shifts, 0, 0.95 * slop);
  return ([px, py]) => {
    const y = (py - 0.5) * high;
    const x = (px - 0.5) * wide - slant * y;
    const at: Point = [left + cos * x - sin * y, top + sin * x + cos * y];
    return [at[0] + field(shifts, 0, at), at[1] + field(shifts, 1, at)];
  };
}

/** Smooth interpolation of a coarse grid of shifts. */
function field(shifts: Float64Array, axis: 0 | 1, [x, y]: Point): number {
  const place = (v: number): readonly [number, number] => {
    const u = Math.max(0, Math.min(GRID - 1.001, (v / SIDE) * (GRID - 1)));
    const f = u - Math.floor(u);
    return [Math.floor(u), f * f * (3 - 2 * f)];
  };
  const [i, fx] = place(x);
  const [j, fy] = place(y);
  const node = (a: number, b: number): number => shifts[2 * (b * GRID + a) + axis]!;
  const upper = node(i, j) * (1 - fx) + node(i + 1, j) * fx;
  const lower = node(i, j + 1) * (1 - fx) + node(i + 1, j + 1) * fx;
  return upper * (1 - fy) + lower * fy;
}

/** Inks the pixels within `radius` of a line segment, with an edge one pixel soft. */
function segment(ink: Float32Array, [ax, ay]: Point, [bx, by]: Point, radius: number): void {
  const reach = radius + 1;
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy || 1e-12;
  const clamp = (v: number): number => Math.max(0, Math.min(SIDE - 1, v));
  const [x0, x1] = [clamp(Math.ceil(Math.min(ax, bx) - reach)), clamp(Math.floor(Math.max(ax, bx) + reach))];
  const [y0, y1] = [clamp(Math.ceil(Math.min(ay, by) - reach)), clamp(Math.floor(Math.max(ay, by) + reach))];
  for (let y = y0; y <= y1; y++) {
    for (let x = x0; x <= x1; x++) {
      const t = Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / length));
      const [ex, ey] = [x - ax - t * dx, y - ay - t * dy];
      const cover = Math.min(1, radius + 0.5 - Math.sqrt(ex * ex + ey * ey));
      if (cover > ink[y * SIDE + x]!) ink[y * SIDE + x] = cover;
    }
  }
}

/** From ink to grey values: blur by a random share, strength of the ink, grain of the paper. */
function develop(ink: Float32Array, rng: Rng, out: Float32Array): void {
  const blur = 0.15 + 0.5 * rng.float();
  const strength = 200 + 55 * rng.float();
  const grain = 16 * rng.float();
  const at = (x: number, y: number): number => (x < 0 || y < 0 || x >= SIDE || y >= SIDE ? 0 : ink[y * SIDE + x]!);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const near = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
      const far = at(x - 1, y - 1) + at(x + 1, y - 1) + at(x - 1, y + 1) + at(x + 1, y + 1);
      const soft = at(x, y) / 4 + near / 8 + far / 16;
      const value = strength * (at(x, y) * (1 - blur) + soft * blur) + grain * rng.normal();
      out[y * SIDE + x] = Math.max(0, Math.min(255, Math.round(value)));
    }
  }
}
