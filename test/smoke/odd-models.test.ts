import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { shared, sharedData } from "../support/shared-data.ts";
import { outcomeOf } from "../support/odd-models.ts";
import { untarFile } from "../support/tar.ts";

const golden = new URL("../golden/odd-models.txt", import.meta.url);

/**
 * 96 odd and invalid models that others made to test their loaders: each loads or is refused with a message that says
 * which node or value, why, and what to do. The golden file holds them all, to be read by people: run with UPDATE_GOLDEN=1
 * to write it anew, and read what changed.
 */
describe.skipIf(!sharedData)("odd and invalid models", () => {
  test("each of the 96 has the outcome and the words of the golden file", { timeout: 120_000 }, async () => {
    const lines: string[] = [];
    for (const { path, bytes } of untarFile(shared("models/ort-testdata-small.tar.gz"))) {
      if (!path.endsWith(".onnx")) continue;
      const [outcome, words] = await outcomeOf(bytes);
      lines.push(`${path}\n    ${outcome}${words === "" ? "" : `: ${words}`}`);
    }
    const text = lines.toSorted().join("\n") + "\n";
    if (process.env["UPDATE_GOLDEN"] !== undefined) writeFileSync(golden, text);
    expect(lines).toHaveLength(96);
    expect(text).toBe(readFileSync(golden, "utf8"));
    // No control characters, no traces of this program or of the one that runs the models.
    expect(text.replaceAll("\n", "")).not.toMatch(/\p{Cc}|\bat [\w.]+ \(|\/onnxruntime_src\/|undefined|\[object/u);
  });
});
