import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assertBuilt, marauder } from "../support/cli.ts";
import { shared, sharedData } from "../support/shared-data.ts";

const folder = mkdtempSync(join(tmpdir(), "marauder-shared-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!sharedData)("the command line on MNIST", { timeout: 180_000 }, () => {
  beforeAll(assertBuilt);
  const model = shared("models/mnist/cntk-mnist-8.onnx");
  const mnist = ["--data", shared("mnist/t10k-images-idx3-ubyte.gz"), "--bounds", "0,255"];

  it("clean accuracy is 98.4 % on the first 2,000 images", async () => {
    const line = ["attack", "random-noise", model, ...mnist, "--samples", "2000", "--eps", "1", "--option", "draws=1"];
    const { code, stdout, stderr } = await marauder([...line, "--json"], { cwd: folder });
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout).cleanAccuracy.value).toBeCloseTo(0.984, 10);
  });

  it("pgd at linf 0.3 of the range takes it to 0 %", async () => {
    const line = ["attack", "pgd", model, ...mnist, "--samples", "100", "--eps", "76.5", "--json"];
    const { code, stdout, stderr } = await marauder(line, { cwd: folder });
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout).robustAccuracy.value).toBe(0);
  });

  it("is audited in one command, and the gate closes", async () => {
    const line = ["audit", model, ...mnist, "--quick", "--samples", "30", "--fail-on", "high", "--out", "report"];
    const { code, stdout, stderr } = await marauder(line, { cwd: folder });
    expect(code, stderr).toBe(1);
    expect(stdout).toMatch(/accuracy falls from \d+(\.\d+)? % to 0 %/);
  });
});
