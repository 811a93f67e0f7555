import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

/** Plants a file in a copy of the house and returns what the linter says of it. */
function lint(path: string, source: string): string {
  const folder = mkdtempSync(join(tmpdir(), "fences-"));
  try {
    cpSync(".oxlintrc.json", join(folder, ".oxlintrc.json"));
    symlinkSync(join(process.cwd(), "node_modules"), join(folder, "node_modules"));
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), source);
    return spawnSync(join(process.cwd(), "node_modules/.bin/oxlint"), [], { cwd: folder, encoding: "utf8" }).stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("the lint configuration is the one that the table of fences makes", () => {
  execFileSync(process.execPath, ["scripts/fences.mjs", "--check"]);
});

test.each([
  [
    "src/tensor/planted.ts",
    'import { int } from "../ir/attributes.ts";\nexport const a = int;\n',
    "tensor/ may not import ir/",
  ],
  [
    "src/attacks/evasion/planted.ts",
    'import { a } from "../../engine/engine.ts";\nexport const b = a;\n',
    "attacks/ may not import engine/",
  ],
  ["src/attacks/evasion/planted.ts", 'import { a } from "node:fs";\nexport const b = a;\n', "attacks/ is pure"],
  [
    "src/report/planted.ts",
    'import { a } from "../stats/index.ts";\nexport const b = a;\n',
    "report/ may not import stats/",
  ],
  ["src/target/planted.ts", 'import { a } from "onnxruntime-node";\nexport const b = a;\n', "Only engine/ort-node.ts"],
  ["src/train/planted.ts", "export const a = Math.random();\n", "Take an Rng"],
  ["report-page/planted.ts", 'export const a = (e: Element) => (e.innerHTML = "x");\n', "Set textContent"],
  ["src/cli/planted.ts", "export default 1;\n", "default"],
])("a planted fault in %s is found", (path, source, message) => {
  expect(lint(path, source)).toContain(message);
});

test("a file that keeps to the fences passes", () => {
  expect(lint("src/ir/planted.ts", 'import { int64 } from "../tensor/index.ts";\nexport const a = int64;\n')).toContain(
    "0 errors",
  );
});
