// Writes docs/gradient-check.md: the gradient of every third-party model compared with finite differences.
// Usage: npm run build; node scripts/gradient-check.mjs [folder of the shared data] [part of a path]
// Needs tar and some minutes; with a part of a path, only the models that have it are checked anew.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { checkFileGradient } from "../dist/audit/check-file-gradient.js";
import { ortEngine } from "../dist/engine/index.js";
import { decodeModel, validate } from "../dist/ir/index.js";
import { root } from "./prepare.mjs";

const page = join(root, "docs/gradient-check.md");
const only = process.argv[3] ?? "";
/** Rows of the page as it is, by model. */
const before = new Map(
  (only === "" ? "" : readFileSync(page, "utf8"))
    .split("\n")
    .filter((line) => /^\| (models|vnncomp)\//.test(line))
    .map((line) => line.slice(2, -2).split(" | "))
    .map(([path, ...row]) => [path, row.map((text) => text.trim())]),
);

const shared = process.argv[2] ?? process.env.MARAUDER_SHARED_DATA ?? join(root, "../shared/data");

/** Models of files, of .gz, and of .tar.gz, by path; `archive!path` inside archives. */
function* models(folder) {
  for (const name of readdirSync(join(shared, folder), { recursive: true, encoding: "utf8" }).toSorted()) {
    const path = join(shared, folder, name);
    if (name.endsWith(".onnx")) yield [`${folder}/${name}`, readFileSync(path)];
    if (!name.endsWith(".tar.gz")) continue;
    const place = mkdtempSync(join(tmpdir(), "gradient-check-"));
    execFileSync("tar", ["xzf", path, "-C", place]);
    for (const inner of readdirSync(place, { recursive: true, encoding: "utf8" }).toSorted()) {
      const bytes = /\.onnx(\.gz)?$/.test(inner) ? readFileSync(join(place, inner)) : null;
      if (bytes === null) continue;
      const plain = inner.endsWith(".gz") ? gunzipSync(bytes) : bytes;
      yield [`${folder}/${name.replace(/\.tar\.gz$/, "")}!${inner.replace(/\.gz$/, "")}`, plain];
    }
    rmSync(place, { recursive: true });
  }
}

/** Null where ONNX Runtime loads the model, else its words. */
async function runsIn(bytes) {
  try {
    const session = await ortEngine.load(validate(decodeModel(bytes)), { threads: 1 });
    await session.close();
    return null;
  } catch (error) {
    return error.message;
  }
}

const cell = (text) => String(text).replaceAll("|", "\\|").replaceAll("\n", " ");
const short = (list, most) =>
  list.length > most ? `${list.slice(0, most).join(", ")} and ${list.length - most} more` : list.join(", ");
/** Operators, by what, error, engine and outcome of one model; cells as in the table. */
async function rowOf(bytes) {
  try {
    const model = validate(decodeModel(bytes));
    const found = await checkFileGradient(model, { exactUpTo: 7e5, mostInput: 1e7 });
    const error = found.relativeError === null ? "" : found.relativeError.toExponential(1);
    const inner = !model.graph.inputs.some((v) => found.by.includes(v.name));
    const by = `${inner ? "from the first floats: " : ""}${short(found.by, 3)}`;
    return [short(found.operators, 12), by, error, found.engine, found.outcome].map(cell);
  } catch (error) {
    if (error.name !== "MarauderError") throw error;
    const too = (await runsIn(bytes)) === null ? "" : ", as by ONNX Runtime";
    const words = error.message.length > 400 ? `${error.message.slice(0, 400)}...` : error.message;
    return ["", "", "", "", `refused${too}: ${words}`].map(cell);
  }
}

const seen = new Set();
const rows = [];
const counts = {};
let worst = 0;
for (const [path, bytes] of [...models("models"), ...models("vnncomp")]) {
  const hash = createHash("sha256").update(bytes).digest("hex");
  if (seen.has(hash)) continue;
  seen.add(hash);
  let row = path.includes(only) ? undefined : before.get(path);
  row ??= await rowOf(bytes);
  if (row[3].startsWith("float64")) worst = Math.max(worst, Number(row[2]));
  const outcome = row[4].split(/[:,]/)[0];
  counts[outcome] = (counts[outcome] ?? 0) + 1;
  rows.push([cell(path), ...row]);
  process.stderr.write(`${path} ${row[2]} ${outcome}\n`);
}

const table = (header, lines) =>
  [header, header.map(() => "---"), ...lines].map((line) => `| ${line.join(" | ")} |`).join("\n");
writeFileSync(
  join(root, "docs/gradient-check.md"),
  `# Gradients of third-party models

<!-- made by scripts/gradient-check.mjs: needs the models; test/smoke/gradients.test.ts checks it -->

Every model at hand that others made (${rows.length}), its gradient compared with finite differences: for random directions u and v,
<u, J v> by a five-point stencil against <J' u, v> from the gradient graph, relative to the sum of the absolute terms.
\`marauder inspect --check-gradient model.onnx --json\` does the same for any file.

- **compared** (${counts.compared ?? 0}): the error is what differences leave; the largest in float64 is ${worst.toExponential(1)}
- **flat** (${counts.flat ?? 0}): nothing flows at the points tried, as behind comparisons alone
- **estimate** (${counts.estimate ?? 0}): quantizers on the path; their gradient is declared as straight-through, so differences say nothing
- **refused** (${counts.refused ?? 0}): with the reason, and whether ONNX Runtime refuses the file, too; where it does not, attacks that need no gradient work

${table(["model", "operators", "by", "relative error", "computed by", "outcome"], rows)}
`,
);
