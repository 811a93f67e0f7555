import { describe, expect, it } from "vitest";
import { seeded } from "../../random/index.ts";
import type { Dataset } from "../dataset.ts";
import { drawDigits } from "./digits.ts";

/** Share of test images whose nearest training image (squared distance) has their label. */
function nearestNeighbour(train: Dataset, test: Dataset): number {
  let right = 0;
  const [a, b] = [train.features.data, test.features.data];
  for (let i = 0; i < test.size; i++) {
    let best = Infinity;
    let label = -1;
    for (let j = 0; j < train.size; j++) {
      let sum = 0;
      for (let k = 0; k < 784 && sum < best; k++) sum += (b[i * 784 + k]! - a[j * 784 + k]!) ** 2;
      if (sum < best) [best, label] = [sum, train.labels![j]!];
    }
    if (label === test.labels![i]) right++;
  }
  return right / test.size;
}

describe("drawn digits", () => {
  it("are whole grey values, inked but not full, with every class", () => {
    const data = drawDigits(300, seeded(1), { prefix: "train-" });
    expect(data.features.dims).toEqual([300, 1, 28, 28]);
    expect(data.features.data.every((v) => Number.isInteger(v) && v >= 0 && v <= 255)).toBe(true);
    expect(new Set(data.labels)).toHaveLength(10);
    expect([data.rowIds[0], data.storedAs, data.classNames.length]).toEqual(["train-0", "uint8", 10]);
    for (let i = 0; i < data.size; i++) {
      const image = data.features.data.subarray(i * 784, (i + 1) * 784);
      const inked = image.filter((v) => v > 100).length;
      expect(inked, `image ${i}`).toBeGreaterThan(20);
      expect(inked, `image ${i}`).toBeLessThan(350);
    }
  });

  it("image i does not depend on how many are drawn; other seeds give other images", () => {
    const few = drawDigits(5, seeded(2));
    const many = drawDigits(9, seeded(2));
    expect(many.features.data.slice(0, 5 * 784)).toEqual(few.features.data);
    expect(drawDigits(5, seeded(3)).features.data).not.toEqual(few.features.data);
  });

  it("are pinned: a change here is a change of the demo's numbers", () => {
    const data = drawDigits(20, seeded("pin"));
    expect([...data.labels!]).toMatchInlineSnapshot(`
      [
        8,
        2,
        5,
        6,
        8,
        0,
        2,
        1,
        5,
        2,
        5,
        4,
        5,
        7,
        2,
        1,
        7,
        9,
        9,
        9,
      ]
    `);
    expect(data.features.data.reduce((sum, v, i) => (sum * 31 + v * (i + 1)) % 1_000_003, 7)).toMatchInlineSnapshot(
      `673927`,
    );
  });

  it("can be learned but not by memory alone: a nearest neighbour of 1,500 is right in 80 to 97 %", () => {
    const accuracy = nearestNeighbour(drawDigits(1500, seeded("a")), drawDigits(300, seeded("b")));
    expect(accuracy).toBeGreaterThan(0.8);
    expect(accuracy).toBeLessThan(0.97);
  });

  it("without slop, the styles stay near the middle and legible to a nearest neighbour", () => {
    const accuracy = nearestNeighbour(
      drawDigits(300, seeded("a"), { slop: 0 }),
      drawDigits(100, seeded("b"), { slop: 0 }),
    );
    expect(accuracy).toBeGreaterThan(0.97);
  });
});
