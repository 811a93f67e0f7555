import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assertBuilt, marauder } from "../support/cli.ts";
import { shared, sharedData } from "../support/shared-data.ts";
import { untarFile } from "../support/tar.ts";

interface Printed {
  readonly attacks: string;
  readonly gradient: {
    readonly available: boolean;
    readonly relativeError?: number | null;
    readonly directions?: number;
    readonly outcome?: string;
    readonly by?: readonly string[];
  };
}

describe.skipIf(!sharedData)("marauder inspect on files of others", () => {
  const folder = mkdtempSync(join(tmpdir(), "inspect-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeAll(assertBuilt);

  /** A member of an archive, as a file. */
  const member = (archive: string, end: string): string => {
    for (const { path, bytes } of untarFile(shared(archive))) {
      if (!path.endsWith(end)) continue;
      const to = join(folder, path.replaceAll("/", "-"));
      writeFileSync(to, bytes);
      return to;
    }
    throw new Error(`${archive} has no ${end}`);
  };
  const odd = (end: string): string => member("models/ort-testdata-small.tar.gz", end);
  const inspect = (path: string, ...flags: string[]) =>
    marauder(["inspect", path, "--json", ...flags], { cwd: folder });

  test("--check-gradient: the relative error of a network with images", async () => {
    const { code, stdout } = await inspect(shared("models/mnist/cntk-mnist-8.onnx"), "--check-gradient");
    const { attacks, gradient } = JSON.parse(stdout) as Printed;
    expect(code).toBe(0);
    expect(attacks).toBe("with gradients");
    expect(gradient).toMatchObject({ available: true, directions: 4, outcome: "compared" });
    expect(gradient.relativeError).toBeLessThan(1e-6);
  });

  test("--check-gradient: of a model of ids, from its embeddings on", async () => {
    const path = shared("models/language/tribuo-tinybert.onnx");
    const { code, stdout } = await inspect(path, "--check-gradient", "--directions", "1");
    const { attacks, gradient } = JSON.parse(stdout) as Printed;
    expect(code).toBe(0);
    expect(attacks).toBe("none"); // Marauder changes floats only.
    expect(gradient.relativeError).toBeLessThan(1e-5);
    expect(gradient.by!.length).toBeGreaterThan(0);
  });

  test.each([
    ["corrupt-model.onnx", 3, ""],
    ["foo_truncated.onnx", 0, "none"],
    ["add_opset_314159.onnx", 0, "none"],
    ["sequence_insert.onnx", 0, "none"],
    ["castmap-int64.onnx", 0, "none"],
    ["test_LSTM.tanh.bidirectional/model.onnx", 0, "scores only"],
    ["zipmap-string.onnx", 0, "with gradients"],
  ])("%s: exit code %i, attacks %s, no trace of a stack", async (end, expected, attacks) => {
    const { code, stdout, stderr } = await inspect(odd(end));
    expect(code).toBe(expected);
    expect(stdout + stderr).not.toMatch(/\n\s+at |INTERNAL|undefined/);
    if (code === 0) expect((JSON.parse(stdout) as Printed).attacks).toBe(attacks);
    else expect(stderr).toMatch(/not an ONNX file.*export or download the model again/);
  });

  test("a gradient that cannot be checked is an exit code and a reason", async () => {
    const { code, stdout } = await inspect(odd("foo_1.onnx"), "--check-gradient");
    expect(code).toBe(3);
    expect((JSON.parse(stdout) as Printed).gradient).toMatchObject({
      relativeError: null,
      directions: 0,
      outcome: "refused",
      refused: expect.stringMatching(/operator Foo \(node "foo_1"\) has no gradient/),
    });
  });
});
