// Generates the import fences of .oxlintrc.json from one table (docs/architecture.md shows the same picture).
// Usage: node scripts/fences.mjs   rewrites .oxlintrc.json;  --check fails when it is out of date.
import { readFileSync, writeFileSync } from "node:fs";

/** Which folders of src a folder may import, besides itself and the files at the top (errors, context, options). */
const may = {
  contract: [],
  tensor: [],
  ir: ["tensor"],
  grad: ["tensor", "ir", "engine", "random", "rewrite"],
  rewrite: ["tensor", "ir"],
  random: ["tensor"],
  stats: ["tensor", "random"],
  privacy: ["tensor", "random", "stats"],
  engine: ["tensor", "ir"],
  data: ["tensor", "random", "stats"],
  target: ["tensor", "ir", "grad", "rewrite", "engine", "random", "stats", "data"],
  train: ["tensor", "ir", "grad", "rewrite", "engine", "random", "stats", "privacy", "data", "target"],
  attacks: ["tensor", "random", "stats", "privacy", "data", "target", "train", "contract"],
  defenses: ["tensor", "random", "stats", "privacy", "data", "target", "train", "contract", "attacks"],
  report: ["contract"],
};
const all = [...Object.keys(may), "audit", "cli"];
may.audit = all.filter((f) => f !== "cli" && f !== "report");
const why = {
  contract: "contract holds types only: move the code to the folder that uses it",
  tensor: "tensor is the bottom: it knows nothing of ours",
  ir: "ir describes files: put transforms into rewrite/ or grad/",
  grad: "grad is graph to graph: an engine may appear only in check-gradient.ts, as an argument",
  rewrite: "rewrite is graph to graph: pass what you need as an argument",
  random: "random is the bottom of the numeric folders",
  stats: "stats is pure: it takes numbers, not models or data sets",
  privacy: "privacy accounts for events and makes noise: it knows neither models nor engines",
  engine: "engine runs models: it knows neither gradients nor targets",
  data: "data knows nothing of models: take a shape or a range as an argument",
  target: "target is below training and attacks",
  train: "train is below attacks: take a callback where an attack is needed",
  attacks: "attacks see a Target and data, never an engine or a file: add the capability to Target",
  defenses: "defenses see data, training and targets, never an engine or a file",
  report: "report pages are pure functions of the contract: put what you miss into report.json",
  audit: "audit renders nothing and knows no command line",
};
const never = ["onnxruntime-node", "onnxruntime-common"];
const shared = ["describe"]; // contract/describe.ts is open to everyone

const restricted = (folder) => {
  const banned = all.filter((f) => f !== folder && !may[folder].includes(f));
  const patterns = banned.map((f) => ({
    group: [`**/${f}/*`, `**/${f}/**`, ...(f === "contract" ? shared.map((s) => `!**/contract/${s}.ts`) : [])],
    message: `${folder}/ may not import ${f}/: ${why[folder]}.`,
  }));
  const files = {
    attacks: 1,
    defenses: 1,
    contract: 1,
    tensor: 1,
    stats: 1,
    random: 1,
    privacy: 1,
    grad: 1,
    rewrite: 1,
    report: 1,
  };
  if (files[folder])
    patterns.push({
      // A hash is pure, and the report's policy and fingerprints need one.
      group: folder === "report" ? ["node:*", "!node:crypto"] : ["node:*"],
      message: `${folder}/ is pure: no files, processes or network here.`,
    });
  return {
    patterns,
    paths: never.map((name) => ({
      name,
      message: "Only engine/ort-node.ts names ONNX Runtime: use the Engine interface.",
    })),
  };
};

const config = {
  $schema: "./node_modules/oxlint/configuration_schema.json",
  plugins: ["typescript", "import", "unicorn", "oxc"],
  categories: { correctness: "error", suspicious: "error" },
  ignorePatterns: ["dist", "node_modules", "src/ir/proto/*_pb.ts", "marauder-report"],
  rules: {
    "import/no-cycle": "error",
    "no-console": "error",
    "no-shadow": "off",
    "unicorn/no-array-sort": "off",
    "unicorn/no-array-reverse": "off",
    "unicorn/consistent-function-scoping": "off",
    "no-underscore-dangle": "off",
    "no-await-in-loop": "off",
    "no-restricted-properties": [
      "error",
      { object: "Math", property: "random", message: "Take an Rng: results must be reproducible." },
      { property: "innerHTML", message: "Set textContent: the page prints what an attacker may have written." },
    ],
    "typescript/no-explicit-any": "error",
    "import/no-default-export": "error",
  },
  overrides: [
    ...Object.keys(may)
      .filter((f) => f !== "cli")
      .map((folder) => ({
        files: [`src/${folder}/**/*.ts`],
        rules: { "no-restricted-imports": ["error", restricted(folder)] },
      })),
    { files: ["src/engine/ort-node.ts"], rules: { "no-restricted-imports": "off" } },
    // The system's secure source of randomness, and the ledger's storage.
    { files: ["src/random/secure.ts", "src/privacy/ledger-file.ts"], rules: { "no-restricted-imports": "off" } },
    { files: ["**/*.test.ts", "test/**/*.ts"], rules: { "no-restricted-imports": "off", "no-console": "off" } },
    { files: ["src/cli/**/*.ts", "scripts/**", "bench/**", "examples/**"], rules: { "no-console": "off" } },
    { files: ["*.config.ts", "report-page/*.ts", "**/*.mjs"], rules: { "import/no-default-export": "off" } },
  ],
};
const text = JSON.stringify(config, null, 2) + "\n";
if (process.argv.includes("--check")) {
  if (readFileSync(".oxlintrc.json", "utf8") !== text) {
    console.error(".oxlintrc.json is out of date: run node scripts/fences.mjs");
    process.exit(1);
  }
} else writeFileSync(".oxlintrc.json", text);
