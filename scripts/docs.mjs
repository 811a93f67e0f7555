// Writes the generated pages of docs/ from what is built in dist/: attacks, checks, cli, errors, ops.
// Usage: node scripts/docs.mjs   writes them;  --check fails when one is out of date.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { operatorLists } from "../dist/grad/index.js";
import { catalog, errorCodes } from "../dist/index.js";
import { commandsFor } from "../dist/cli/commands/index.js";
import { kernels } from "../dist/engine/reference/index.js";
import { root } from "./prepare.mjs";

const cell = (text) => String(text).replaceAll("|", "\\|").replaceAll("\n", " ");
const table = (header, rows) =>
  [header, header.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n");
const page = (title, ...parts) =>
  `# ${title}\n\n<!-- made by scripts/docs.mjs: change the source, then run npm run docs -->\n\n${parts.join("\n\n")}\n`;

function rangeOf(spec) {
  if (spec.type === "choice") return spec.choices.join(", ");
  if (spec.type === "boolean") return "true, false";
  if (spec.type === "text") return "text";
  const kind = spec.type === "int" ? "whole number" : "number";
  const { min, max } = spec;
  if (min !== undefined && max !== undefined) return `${kind}, ${min} to ${max}`;
  return min !== undefined ? `${kind}, from ${min}` : max !== undefined ? `${kind}, up to ${max}` : kind;
}

function options(entry) {
  const rows = Object.entries(entry.options).map(([name, spec]) => [
    `\`${name}\``,
    spec.default === "" ? "(empty)" : `\`${spec.default}\``,
    rangeOf(spec),
    spec.doc,
  ]);
  return rows.length === 0 ? "No options." : table(["option", "default", "values", "meaning"], rows);
}

function methodText(entry) {
  const { paper } = entry;
  const source = `${paper.authors} ${paper.year}, [${paper.title}](${paper.url})${paper.section ? `, section ${paper.section.replace(/^sections? /i, "")}` : ""}.`;
  const differences =
    entry.differences.length === 0
      ? "Differences from the paper: none."
      : `Differences from the paper:\n\n${entry.differences.map((d) => `- ${d}`).join("\n")}`;
  const needs = entry.needs.length === 0 ? "data alone" : entry.needs.join(", ");
  return [
    `### \`${entry.id}\`: ${entry.title}`,
    entry.summary,
    `Needs: ${needs}. ${source}`,
    options(entry),
    differences,
  ].join("\n\n");
}

function attacks() {
  const of = (kind, risk) => catalog.filter((e) => e.kind === kind && (risk === undefined || e.risk === risk));
  const section = (title, entries) => (entries.length === 0 ? [] : [`## ${title}`, ...entries.map(methodText)]);
  return page(
    "Attacks, detectors and defenses",
    "Each is one paper and one file. Options have defaults of the paper's strength. `needs` are the capabilities of a target that it is handed; it gets no other.",
    ...section("Evasion", of("attack", "evasion")),
    ...section("Poisoning", of("attack", "poisoning")),
    ...section("Memorization", of("attack", "memorization")),
    ...section("Detectors of planted rows", of("detector")),
    ...section("Defenses", of("defense")),
  );
}

function checks() {
  const found = catalog.filter((e) => e.kind === "check");
  const made = catalog.filter((e) => e.kind === "probe");
  return page(
    "Probes and checks",
    "A probe spends a budget on a model and writes evidence. A check is a pure function from evidence to a finding; `marauder report <folder>` judges old evidence again.",
    "## Checks",
    ...found.map(({ id, title, risk, summary, threat }) =>
      [
        `### \`${id}\`: ${title}`,
        summary,
        table(
          ["risk", "the adversary knows", "changes", "spends", "ATLAS", "NIST AI 100-2"],
          [[risk, threat.knows, threat.changes, threat.spends, threat.atlas.join(", "), threat.nist.join(", ")]],
        ),
      ].join("\n\n"),
    ),
    "## Probes",
    ...made.map((e) => [`### \`${e.id}\`: ${e.title}`, `${e.risk}. ${e.summary}`, options(e)].join("\n\n")),
  );
}

async function cli() {
  const main = new Command("marauder").configureHelp({ helpWidth: 110 });
  for (const add of await commandsFor()) add(main, new AbortController().signal);
  const helpOf = (command, of = "marauder") => {
    let text = "";
    command.configureOutput({
      writeOut: (more) => (text += more),
      getOutHelpWidth: () => 110,
      getOutHasColors: () => false,
    });
    command.outputHelp();
    const name = `${of} ${command.name()}`;
    const own = `## \`${name}\`\n\n\`\`\`\n${text.trim()}\n\`\`\``;
    return [own, ...command.commands.map((inner) => helpOf(inner, name))].join("\n\n");
  };
  const codes = [
    ["0", "clean"],
    ["1", "findings at or above `--fail-on`, or an uneven sanitization"],
    ["2", "bad usage or a bad plan"],
    [
      "3",
      "could not run; with `--fail-on`, also when no finding reached it but a check could not run; an audit that could measure nothing",
    ],
    ["130", "stopped by the user; the same command goes on from what is done"],
  ];
  return page(
    "The command line",
    "stdout is data, stderr is progress. Exit codes:",
    table(["code", "meaning"], codes),
    ...main.commands.map((command) => helpOf(command)),
  );
}

const errors = () =>
  page(
    "Errors",
    "Every error is a `MarauderError` with a `code`, a `message` (what failed; expected, got; what to do) and `details` for programs.",
    table(
      ["code", "meaning"],
      Object.entries(errorCodes).map(([code, meaning]) => [`\`${code}\``, meaning]),
    ),
  );

function ops() {
  const { rule, estimated, zero, decomposed, refused } = operatorLists;
  const rows = [
    ...rule.map((op) => [op, estimated.includes(op) ? "has a rule (straight-through estimate)" : "has a rule"]),
    ...decomposed.map((op) => [op, "decomposed first"]),
    ...zero.map((op) => [op, "zero by nature"]),
    ...Object.entries(refused).map(([op, why]) => [op, `refused: ${why}`]),
  ].sort(([a], [b]) => (a < b ? -1 : 1));
  return page(
    "Operators",
    [
      "What is differentiated, by operator of the default ONNX domain, in the form of opset 18 and later (older models are raised",
      "first). A gradient through a refused or unknown one gives `GRAD_NO_RULE` and the path; attacks that need none still work.",
    ].join("\n"),
    [
      `- **has a rule** (${rule.length}): tested by dot products against the float64 interpreter`,
      `- **decomposed first** (${decomposed.length}): rewritten into operators that have rules`,
      `- **zero by nature** (${zero.length}): the derivative is zero wherever it exists, or no floats go in or out`,
      `- **refused** (${Object.keys(refused).length}): with the reason`,
    ].join("\n"),
    table(
      ["operator", "gradient", "float64 interpreter"],
      rows.map(([op, how]) => [op, how, kernels[op] ? "yes" : ""]),
    ),
  );
}

const pages = {
  "attacks.md": attacks(),
  "checks.md": checks(),
  "cli.md": await cli(),
  "errors.md": errors(),
  "ops.md": ops(),
};
let stale = 0;
for (const [name, text] of Object.entries(pages)) {
  const path = join(root, "docs", name);
  if (!process.argv.includes("--check")) writeFileSync(path, text);
  else {
    let before = "";
    try {
      before = readFileSync(path, "utf8");
    } catch {
      // missing is out of date
    }
    if (before === text) continue;
    stale++;
    console.error(`docs/${name} is out of date: run npm run docs`);
  }
}
if (stale > 0) process.exit(1);
