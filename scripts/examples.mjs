// Compiles and runs every file of examples/ and compares what it prints with examples/<name>.txt. Percentages may differ by
// five points, since processors round differently; everything else must be the same.
// Usage: node scripts/examples.mjs [name ...]   --write makes the .txt files anew.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bin, build, root, run } from "./prepare.mjs";

const POINTS = 5;
const write = process.argv.includes("--write");
const wanted = process.argv.slice(2).filter((name) => !name.startsWith("--"));

/** Text with the percentages taken out, and the percentages. */
function parts(text) {
  const percent = /(\d+(?:\.\d+)?) %/g;
  return { words: text.replace(percent, "# %"), percents: [...text.matchAll(percent)].map((m) => Number(m[1])) };
}

function same(printed, golden) {
  const [a, b] = [parts(printed), parts(golden)];
  return a.words === b.words && a.percents.every((p, i) => Math.abs(p - b.percents[i]) <= POINTS);
}

build();
const compiled = join(root, "dist", ".examples"); // inside the package, so that "marauder-ml" is this very clone
rmSync(compiled, { recursive: true, force: true });
run(bin("tsc"), ["-p", join(root, "examples")]);
const names = readdirSync(join(root, "examples"))
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -3));
const failed = [];
for (const name of wanted.length > 0 ? wanted : names) {
  const start = performance.now();
  const result = spawnSync(process.execPath, [join(compiled, `${name}.js`)], { encoding: "utf8", timeout: 300_000 });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const golden = join(root, "examples", `${name}.txt`);
  if (result.status !== 0) {
    failed.push(name);
    console.error(`${name}: failed\n${result.stderr}`);
  } else if (write) {
    writeFileSync(golden, result.stdout);
    console.log(`${name}: written (${seconds} s)`);
  } else if (!same(result.stdout, readFileSync(golden, "utf8"))) {
    failed.push(name);
    console.error(`${name}: prints something else than examples/${name}.txt:\n${result.stdout}`);
  } else console.log(`${name}: ok (${seconds} s)`);
}
rmSync(compiled, { recursive: true, force: true });
if (failed.length > 0) process.exit(1);
