import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { openDataset, readArray } from "../../src/data/index.ts";
import { shared, sharedData } from "../support/shared-data.ts";

describe.skipIf(!sharedData)("readers on data made by others", () => {
  it("MNIST: the canonical bytes, with the labels found beside the images", async () => {
    const data = await openDataset(shared("mnist/t10k-images-idx3-ubyte.gz"), { shape: [1, 28, 28] });
    expect(data.features.dims).toEqual([10000, 1, 28, 28]);
    expect(data.storedAs).toBe("uint8");
    expect(Array.from(data.labels!.slice(0, 10))).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    expect(data.classNames).toHaveLength(10);
    const head = Buffer.from("00000803000027100000001c0000001c", "hex");
    const md5 = createHash("md5").update(head).update(Uint8Array.from(data.features.data)).digest("hex");
    expect(md5).toBe("2646ac647ad5339dbf082846283269ea");
    const first = await openDataset(shared("mnist/train-images-idx3-ubyte.gz"), {
      samples: 3,
      scale: { from: [0, 255], to: [0, 1] },
    });
    expect(first.size).toBe(3);
    expect([...first.labels!]).toEqual([5, 0, 4]);
    expect(Math.max(...first.features.data)).toBe(1);
  });

  it("CIFAR-10 and MNIST: labels and probabilities as npy", async () => {
    const labels = "cifar10/label-errors/cifar10_test_set_original_labels.npy";
    const pyx = await openDataset(shared("cifar10/label-errors/cifar10_test_set_pyx.npy"), { labels: shared(labels) });
    expect(pyx.features.dims).toEqual([10000, 10]);
    expect(Array.from(pyx.labels!.slice(0, 5))).toEqual([3, 8, 8, 0, 6]);
    for (let i = 0; i < 100; i++) {
      const row = pyx.features.data.subarray(10 * i, 10 * i + 10);
      expect(Math.abs(row.reduce((a, b) => a + b, 0) - 1)).toBeLessThan(1e-5);
    }
    const mnist = await readArray(shared("mnist/label-errors/mnist_test_set_original_labels.npy"));
    const idx = await openDataset(shared("mnist/t10k-images-idx3-ubyte.gz"));
    expect(Array.from(mnist.data as ArrayLike<number | bigint>, Number)).toEqual([...idx.labels!]);
  });

  it("creditcard.npz: features without labels", async () => {
    const data = await openDataset(shared("tabular/creditcard.npz"));
    expect(data.features.dims).toEqual([2684, 30]);
    expect(data.labels).toBeNull();
  });

  it("adult: no header, spaces after commas, missing cells, rows as they were", async () => {
    const path = shared("tabular/adult-train.csv");
    await expect(openDataset(path, { label: "last" })).rejects.toThrow(
      /row 28, column c2: the cell is missing \("\?"\)/,
    );
    const train = await openDataset(path, { label: "last", groups: ["c10", "c9"], missing: "drop" });
    expect(train.size).toBe(30162); // the number of complete rows that the data's description names
    expect(train.classNames).toEqual(["<=50K", ">50K"]);
    expect(train.labels!.reduce((a, b) => a + b, 0)).toBe(7508);
    expect(new Set(train.groups["c10"])).toEqual(new Set(["Female", "Male"]));
    expect(train.table!.rows[0]!.slice(0, 3)).toEqual(["39", " State-gov", " 77516"]);
    expect(train.schema!.columns.map((c) => c.kind).slice(0, 3)).toEqual(["integer", "category", "integer"]);
    const filled = await openDataset(path, { label: "c15", missing: "impute" });
    expect(filled.size).toBe(32561);
    expect(filled.schema!.columns[1]!.fill).toBe("Private");
  });

  it("german credit, iris and the zoo", async () => {
    const german = await openDataset(shared("tabular/german.csv"), { label: "last" });
    expect([german.size, german.labels!.reduce((a, b) => a + b, 0)]).toEqual([1000, 300]);
    expect(german.classNames).toEqual(["1", "2"]);
    const iris = await openDataset(shared("tabular/iris.csv"), { label: "last" });
    expect(iris.features.dims).toEqual([150, 4]);
    expect(Array.from(iris.features.data.slice(0, 4), (v) => Math.round(v * 10))).toEqual([51, 35, 14, 2]);
    await expect(openDataset(shared("tabular/zoo.data"), { label: "last" })).rejects.toThrow(
      /line 2: 18 cells.*header names 16.*skip/,
    );
    const zoo = await openDataset(shared("tabular/zoo.data"), { label: "last", header: "skip", ignore: ["c1"] });
    expect(zoo.size).toBe(101);
    expect(zoo.classNames).toHaveLength(7);
  });

  it("photographs with a labels.csv", async () => {
    const data = await openDataset(shared("imagenet-samples"), {
      label: "imagenet_class_index",
      shape: [3, 32, 32],
      samples: 8,
    });
    expect(data.features.dims).toEqual([8, 3, 32, 32]);
    expect(data.rowIds[0]).toBe("n01440764_tench.JPEG");
    expect(Array.from(data.labels!.slice(0, 2))).toEqual([0, 1]);
    const mean = data.features.data.reduce((a, b) => a + b, 0) / data.features.data.length;
    expect(mean).toBeGreaterThan(40);
    expect(mean).toBeLessThan(220);
  });
});
