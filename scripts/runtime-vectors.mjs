// Writes docs/runtime-vectors.md: where ONNX Runtime disagrees with the ONNX project's own node vectors.
// Usage: npm run build; node scripts/runtime-vectors.mjs [folder of the shared data]      needs tar
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { ortEngine, referenceEngine } from "../dist/engine/index.js";
import { fromTensor, numbers } from "../dist/engine/reference/value.js";
import { decodeModel, raiseOpset } from "../dist/ir/index.js";
import { TensorProtoSchema } from "../dist/ir/proto/onnx_pb.js";
import { decodeTensor } from "../dist/ir/tensor-codec.js";
import { isFloat } from "../dist/tensor/index.js";
import { root } from "./prepare.mjs";

const shared = process.argv[2] ?? process.env.MARAUDER_SHARED_DATA ?? join(root, "../shared/data");

/** What is known of a difference, by the names of the vectors. */
const why = [
  [/^test_adagrad|^test_adam|^test_momentum|^test_nesterov/, "training operators are left out of this build"],
  [/^test_(quantize|dequantize)linear_.*(float8|e4m3|e5m2|float4|u?int4)/, "small types do not cross into JavaScript"],
  [/^test_cast(like)?_FLOAT_to_STRING/, "prints other digits of the same numbers"],
  [/^test_cast.*(FLOAT8|BFLOAT16|INT4|STRING|FLOAT4)/, "the type has no kernel, or does not cross into JavaScript"],
  [
    /^test_resize_downsample_scales_(cubic|linear)_align_corners$/,
    "the vector takes the unrounded output size (2.4), ONNX Runtime and our interpreter the size made (2)",
  ],
  [
    /^test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True$/,
    "the vector counts what the last window reaches beyond the padding; opset 19 says that it does not count",
  ],
  [
    /^test_qlinearmatmul_.D_int8/,
    "the vector wraps what is too large for int8; the specification and ONNX Runtime saturate",
  ],
  [/^test_(bernoulli|random|multinomial)/, "random"],
  [/^test_dft/, "of a length that is no power of two it adds up in float32"],
  [/^test_training_dropout/, "random"],
  [/^test_maxunpool_export_with_output_shape$/, "the vector's indices count in another shape"],
];

function vectors() {
  const place = mkdtempSync(join(tmpdir(), "vectors-"));
  execFileSync("tar", ["xzf", join(shared, "onnx-node-tests/onnx-node-v1.17.0.tar.gz"), "-C", place]);
  const all = new Map();
  for (const inner of readdirSync(place, { recursive: true, encoding: "utf8" }).toSorted()) {
    const parts = inner.split("/");
    const name = parts.find((p) => p.startsWith("test_") && !p.startsWith("test_data_set"));
    if (name === undefined || !/\.(onnx|pb)$/.test(inner)) continue;
    const vector = all.get(name) ?? { inputs: [], outputs: [] };
    all.set(name, vector);
    const bytes = readFileSync(join(place, inner));
    if (parts.at(-1) === "model.onnx") vector.model = bytes;
    const [, kind, index] = /(input|output)_(\d+)\.pb$/.exec(parts.at(-1)) ?? [];
    if (kind !== undefined && parts.includes("test_data_set_0")) vector[`${kind}s`][Number(index)] = bytes;
  }
  rmSync(place, { recursive: true });
  return all;
}

const tensorOf = (bytes) => decodeTensor(fromBinary(TensorProtoSchema, bytes), null);
const slackOf = (t) => (t.dtype === "float16" || t.dtype === "bfloat16" ? 1e-2 : t.dtype === "float64" ? 1e-7 : 1e-4);

/** The largest relative difference of all outputs, Infinity where types, shapes or texts differ. */
function errorOf(got, expected) {
  if (got.dtype !== expected.dtype || String(got.dims) !== String(expected.dims)) return Infinity;
  if (expected.dtype === "string") return String(got.data) === String(expected.data) ? 0 : Infinity;
  const [a, b] = [numbers(fromTensor(got)), numbers(fromTensor(expected))];
  let worst = 0;
  for (let k = 0; k < b.length; k++) {
    if (Object.is(a[k], b[k]) || a[k] === b[k]) continue;
    const error = Math.abs(a[k] - b[k]) / Math.max(1, Math.abs(b[k]));
    worst = Math.max(
      worst,
      Number.isNaN(error) ? Infinity : isFloat(expected.dtype) ? error / slackOf(expected) : Infinity,
    );
  }
  return worst;
}

async function outcome(engine, model, vector, raise) {
  try {
    const session = await engine.load(raise ? raiseOpset(model) : model, { threads: 1 });
    try {
      const names = model.graph.inputs.map((v) => v.name);
      const got = await session.run(Object.fromEntries(vector.inputs.map((bytes, i) => [names[i], tensorOf(bytes)])));
      const errors = model.graph.outputs.map((v, i) => errorOf(got[v.name], tensorOf(vector.outputs[i])));
      return { error: Math.max(0, ...errors) };
    } finally {
      await session.close();
    }
  } catch (error) {
    return { refused: String(error.message).replaceAll("\n", " ") };
  }
}

const cell = (text) => String(text).replaceAll("|", "\\|");
const table = (header, lines) =>
  [header, header.map(() => "---"), ...lines].map((line) => `| ${line.map(cell).join(" | ")} |`).join("\n");
const wrong = [];
const missing = new Map();
const counts = { agree: 0, skipped: 0 };
for (const [name, vector] of vectors()) {
  if (vector.model === undefined) continue;
  if (process.env.TRACE) console.error(name);
  let model;
  try {
    model = decodeModel(vector.model);
    for (const bytes of [...vector.inputs, ...vector.outputs]) tensorOf(bytes);
  } catch {
    model = null;
  }
  const plain =
    model?.graph.inputs.every((v) => v.kind === "tensor") && model.graph.outputs.every((v) => v.kind === "tensor");
  if (!plain) {
    counts.skipped++;
    continue;
  }
  const runtime = await outcome(ortEngine, model, vector, false);
  if (runtime.error !== undefined && runtime.error <= 1) {
    counts.agree++;
    continue;
  }
  const known = why.find(([pattern]) => pattern.test(name))?.[1] ?? "";
  if (runtime.refused !== undefined) {
    const words =
      known ||
      runtime.refused.replace(/^ONNX Runtime (refused the model|failed while running the model): /, "").slice(0, 160);
    const key = words.replace(/Name:'[^']*'|node with name '[^']*'|\([^)]*\)/g, "").trim();
    missing.set(key, [...(missing.get(key) ?? []), name]);
    continue;
  }
  const ours = await outcome(referenceEngine(), model, vector, true);
  const own =
    ours.refused !== undefined
      ? "not supported"
      : ours.error <= 1
        ? "agrees with the vector"
        : "disagrees with the vector";
  const size =
    runtime.error === Infinity
      ? "type, shape, whole number or NaN"
      : `${runtime.error.toExponential(1)} of what is allowed`;
  wrong.push([name, [...new Set(model.graph.nodes.map((n) => n.op))].join(", "), size, own, known]);
}
const version = JSON.parse(readFileSync(join(root, "node_modules/onnxruntime-node/package.json"), "utf8")).version;
writeFileSync(
  join(root, "docs/runtime-vectors.md"),
  `# ONNX Runtime beside the ONNX node vectors

<!-- made by scripts/runtime-vectors.mjs: needs the vectors -->

The reference interpreter is checked against the ONNX project's node vectors (v1.17.0) by a test. The same vectors in ONNX
Runtime ${version}: ${counts.agree} agree (relative error of 1e-4 for float32, 1e-7 for float64, 1e-2 for halves), ${wrong.length} give other numbers,
${[...missing.values()].reduce((n, list) => n + list.length, 0)} are refused, ${counts.skipped} hold sequences, optional values or types that our tensors do not.

## Other numbers

${table(["vector", "operators", "difference", "our interpreter", "why, where known"], wrong)}

## Refused

${table(
  ["ONNX Runtime says", "vectors"],
  [...missing].map(([words, names]) => [
    words,
    names.length > 6 ? `${names.slice(0, 6).join(", ")} and ${names.length - 6} more` : names.join(", "),
  ]),
)}
`,
);
console.error(JSON.stringify(counts), wrong.length, missing.size);
