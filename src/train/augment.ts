import type { Rng } from "../random/rng.ts";
import type { Augmentation } from "./trainer.ts";

/**
 * Writes one image [C, H, W], shifted by up to `shift` pixels along each axis (what comes in from outside is 0) and, with
 * `flip`, mirrored from left to right half of the time. `rng` is the generator of this row in this epoch.
 */
export function augmentImage(
  from: Float32Array,
  start: number,
  to: Float32Array,
  at: number,
  [channels, height, width]: readonly [number, number, number],
  { shift, flip }: Augmentation,
  rng: Rng,
): void {
  const down = shift === 0 ? 0 : rng.int(2 * shift + 1) - shift;
  const right = shift === 0 ? 0 : rng.int(2 * shift + 1) - shift;
  const mirrored = flip && rng.int(2) === 1;
  let k = at;
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      const row = y - down;
      for (let x = 0; x < width; x++, k++) {
        const column = (mirrored ? width - 1 - x : x) - right;
        const inside = row >= 0 && row < height && column >= 0 && column < width;
        to[k] = inside ? from[start + (c * height + row) * width + column]! : 0;
      }
    }
  }
}
