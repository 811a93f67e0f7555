// Joins the JSON files of the scripts beside it into bench/results/training-results.json.
// Usage: node bench/training-results/write.mjs NAME=FILE ...
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const out = join(dirname(fileURLToPath(import.meta.url)), "../results/training-results.json");
const before = (() => {
  try {
    return JSON.parse(readFileSync(out, "utf8"));
  } catch {
    return {};
  }
})();
for (const pair of process.argv.slice(2)) {
  const [name, file] = pair.split("=");
  before[name] = JSON.parse(readFileSync(file, "utf8"));
}
writeFileSync(out, JSON.stringify(before, null, 2) + "\n");
