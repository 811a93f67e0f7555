import { expect, it } from "vitest";
import { seeded } from "../random/index.ts";
import { augmentImage } from "./augment.ts";

const image = Float32Array.from({ length: 2 * 3 * 4 }, (_, i) => i + 1);
const changed = (seed: number, shift: number, flip: boolean): number[] => {
  const to = new Float32Array(26).fill(-1);
  augmentImage(image, 0, to, 1, [2, 3, 4], { shift, flip }, seeded(seed));
  expect([to[0], to[25]]).toEqual([-1, -1]);
  return [...to.subarray(1, 25)];
};

it("shifts all channels alike, with zeros from outside, over the whole range", () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const got = changed(seed, 1, false);
    const fits = [-1, 0, 1].flatMap((down) =>
      [-1, 0, 1].flatMap((right) => {
        const same = got.every((v, k) => {
          const [c, y, x] = [Math.floor(k / 12), (Math.floor(k / 4) % 3) - down, (k % 4) - right];
          return v === (y >= 0 && y < 3 && x >= 0 && x < 4 ? image[c * 12 + y * 4 + x] : 0);
        });
        return same ? [`${down} ${right}`] : [];
      }),
    );
    expect(fits).toHaveLength(1);
    seen.add(fits[0]!);
  }
  expect(seen.size).toBe(9);
});

it("mirrors about half of the images, and leaves the others as they are", () => {
  const mirrored = [...image].map((_, k) => image[k - (k % 4) + 3 - (k % 4)]!);
  const all = Array.from({ length: 400 }, (_, seed) => changed(seed, 0, true).join());
  const count = all.filter((row) => row === mirrored.join()).length;
  expect(all.every((row) => row === mirrored.join() || row === [...image].join())).toBe(true);
  expect(Math.abs(count - 200)).toBeLessThan(50); // five standard deviations
});
