import type { Picture } from "../../../src/contract/index.ts";

/** Pictures for the sample report, drawn by formula. */

type Point = readonly [number, number];

// Strokes of each digit on a unit square, as polylines.
const strokes: Readonly<Record<number, readonly (readonly Point[])[]>> = {
  1: [
    [
      [0.38, 0.28],
      [0.54, 0.15],
      [0.52, 0.85],
    ],
  ],
  3: [
    [
      [0.3, 0.22],
      [0.52, 0.15],
      [0.68, 0.28],
      [0.5, 0.47],
      [0.72, 0.65],
      [0.55, 0.85],
      [0.3, 0.78],
    ],
  ],
  4: [
    [
      [0.6, 0.85],
      [0.6, 0.15],
      [0.26, 0.6],
      [0.76, 0.6],
    ],
  ],
  7: [
    [
      [0.27, 0.2],
      [0.72, 0.18],
      [0.45, 0.85],
    ],
    [
      [0.36, 0.52],
      [0.64, 0.5],
    ],
  ],
  8: [
    [
      [0.5, 0.48],
      [0.33, 0.32],
      [0.5, 0.15],
      [0.67, 0.32],
      [0.5, 0.48],
      [0.3, 0.68],
      [0.5, 0.86],
      [0.71, 0.68],
      [0.5, 0.48],
    ],
  ],
  9: [
    [
      [0.68, 0.3],
      [0.5, 0.15],
      [0.33, 0.33],
      [0.5, 0.5],
      [0.68, 0.3],
      [0.6, 0.85],
    ],
  ],
};

export function drawnDigit(digit: number): Picture {
  const size = 28;
  return paint(size, size, 1, (x, y) => {
    const nearest = Math.min(
      ...strokes[digit]!.flatMap((line) => line.slice(1).map((end, index) => distance([x, y], line[index]!, end))),
    );
    return [255 * clamp(1.35 - nearest / 0.055)];
  });
}

export function trafficSign(): Picture {
  return paint(48, 48, 3, (x, y) => {
    const [dx, dy] = [Math.abs(x - 0.5), Math.abs(y - 0.5)];
    const reach = Math.max(dx, dy, (dx + dy) / 1.41);
    if (reach > 0.4) return [130 - 50 * y, 165 - 40 * y, 200 - 90 * y];
    if (reach > 0.36) return [240, 238, 232];
    return dy < 0.07 && dx < 0.26 && Math.sin(x * 60) > -0.4 ? [240, 238, 232] : [182, 30, 40];
  });
}

/** Grey is no change, as pictures of changes are shown. */
export function noise(width: number, height: number, channels: 1 | 3, seed: number): Picture {
  let state = seed * 7919 + 13;
  return paint(width, height, channels, () =>
    Array.from({ length: channels }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return [40, 128, 215][(state >>> 16) % 3]!;
    }),
  );
}

/** The picture plus the change, scaled. */
export function shiftedBy(picture: Picture, change: Picture, scale: number): Picture {
  const [base, delta] = [Buffer.from(picture.pixels, "base64"), Buffer.from(change.pixels, "base64")];
  const pixels = base.map((value, index) =>
    Math.min(255, Math.max(0, Math.round(value + (delta[index]! - 128) * scale))),
  );
  return { ...picture, pixels: Buffer.from(pixels).toString("base64") };
}

/** A white 3 × 3 patch in the lower right corner. */
export function sticker(picture: Picture): Picture {
  const pixels = Buffer.from(picture.pixels, "base64");
  for (let y = picture.height - 4; y < picture.height - 1; y++) {
    for (let x = picture.width - 4; x < picture.width - 1; x++) pixels[y * picture.width + x] = 255;
  }
  return { ...picture, pixels: pixels.toString("base64") };
}

function paint(
  width: number,
  height: number,
  channels: 1 | 3,
  color: (x: number, y: number) => readonly number[],
): Picture {
  const pixels = Buffer.alloc(width * height * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      color((x + 0.5) / width, (y + 0.5) / height).forEach((value, channel) => {
        pixels[(y * width + x) * channels + channel] = Math.round(Math.min(255, Math.max(0, value)));
      });
    }
  }
  return { width, height, channels, pixels: pixels.toString("base64") };
}

function distance([x, y]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay];
  const along = clamp(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy));
  return Math.hypot(x - ax - along * dx, y - ay - along * dy);
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
