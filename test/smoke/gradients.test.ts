import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkFileGradient } from "../../src/audit/check-file-gradient.ts";
import { MarauderError } from "../../src/errors.ts";
import { decodeModel, validate } from "../../src/ir/index.ts";
import { sharedData } from "../support/shared-data.ts";
import { sharedModels } from "../support/shared-models.ts";

/** Relative errors: of differences in float64, and in float32 for models of more than 400,000 constants. */
const EXACT = 1e-5;
const SINGLE = 2e-2;

/** The committed table, made by scripts/gradient-check.mjs: the first word of each outcome, by model. */
function committed(): Map<string, string> {
  const text = readFileSync(new URL("../../docs/gradient-check.md", import.meta.url), "utf8");
  const rows = text.split("\n").filter((line) => line.startsWith("| models/") || line.startsWith("| vnncomp/"));
  return new Map(
    rows.map((row) => {
      const cells = row.split(" | ").map((c) => c.replace(/^\| | \|$/g, ""));
      return [cells[0]!, cells.at(-1)!.split(/[:,]/)[0]!];
    }),
  );
}

describe.skipIf(!sharedData)("gradients of every third-party model", () => {
  test(
    "dot-product test, or refused with the reason, as docs/gradient-check.md says",
    { timeout: 400_000 },
    async () => {
      const table = committed();
      const seen = new Set<string>();
      const wrong: string[] = [];
      const found = new Map<string, string>();
      for (const { path, bytes } of sharedModels(["models", "vnncomp"])) {
        const hash = createHash("sha256").update(bytes).digest("hex");
        if (seen.has(hash)) continue;
        seen.add(hash);
        const name = path.replace(/\.tar\.gz:/, "!");
        try {
          const check = await checkFileGradient(validate(decodeModel(bytes)));
          found.set(name, check.outcome);
          const most = check.engine.startsWith("float64") ? EXACT : SINGLE;
          if (check.relativeError !== null && !(check.relativeError <= most))
            wrong.push(`${path}: ${check.relativeError}`);
        } catch (error) {
          if (!(error instanceof MarauderError)) wrong.push(`${path}: ${String(error)}`);
          else if (!/; |: /.test(error.message)) wrong.push(`${path}: says too little: ${error.message}`);
          // Made up for the table alone: they take long.
          const large = (error as Error).message.includes("numbers, more than");
          found.set(name, large ? (table.get(name) ?? "missing") : "refused");
        }
      }
      expect(wrong).toEqual([]);
      const other = [...found].filter(([name, outcome]) => table.get(name) !== outcome);
      expect(other).toEqual([]);
      expect([...table.keys()].filter((name) => !found.has(name))).toEqual([]);
      expect([...found.values()].filter((o) => o === "compared").length).toBeGreaterThan(110);
    },
  );
});
