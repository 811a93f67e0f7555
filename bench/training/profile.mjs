// Where a training step spends its time: ONNX Runtime's own clock for each node, the fastest of several runs.
// Usage: node bench/training/profile.mjs MODEL plain|clipped [THREADS [RUNS]]
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ort from "onnxruntime-node";
import { encodeModel } from "../../dist/ir/index.js";
import { stepProgram } from "../../dist/train/step.js";
import { clippedProgram, feedsOf, layoutOf, losses, pack, updateRule } from "../../dist/train/index.js";
import { dataOf, models } from "./models.mjs";
import { sgd } from "./sgd.mjs";

const [name, kind, threads = "1", runs = "8"] = process.argv.slice(2);
const model = models[name]();
if (process.env.BATCH) model.batch = Number(process.env.BATCH);
const { trainable, batch, loss } = model;
const layout = layoutOf(trainable.model, trainable.parameters);
const rule = updateRule(sgd);
const program =
  kind === "plain" ? stepProgram(trainable, layout, rule, losses[loss]) : clippedProgram(trainable, layout, loss);
const own = program.layout;
const bytes = encodeModel(program.model);
const session = await ort.InferenceSession.create(bytes, {
  intraOpNumThreads: Number(threads),
  interOpNumThreads: 1,
  enableProfiling: process.env.PROFILE !== "0",
  enableMemPattern: false,
  logSeverityLevel: 4,
  profileFilePrefix: join(tmpdir(), "marauder-profile"),
  ...(process.env.LEVEL && { graphOptimizationLevel: process.env.LEVEL }),
  extra: { session: { intra_op: { allow_spinning: "0" } } },
  ...JSON.parse(process.env.SESSION ?? "{}"),
});
const { features, targets } = dataOf(model);
const t = (v) => new ort.Tensor(v.dtype, v.data, v.dims);
const flat = (data) => new ort.Tensor("float32", data, [data.length]);
const packed = pack(trainable.model, layout);
const feeds = { [trainable.model.graph.inputs[0].name]: t(features), "train.targets": t(targets) };
const into = {};
const slots = (vector, nameOf) =>
  Object.fromEntries(Object.entries(feedsOf(own, vector, nameOf)).map(([name, tensor]) => [name, t(tensor)]));
Object.assign(feeds, slots(packed));
if (kind === "plain") {
  const state = new Float32Array(packed.length);
  feeds["train.weights"] = flat(new Float32Array(batch).fill(1 / batch));
  feeds["train.rates"] = flat(Float32Array.of(1e-4, 0.9));
  Object.assign(
    feeds,
    slots(state, (name) => `train.state.0.${name}`),
  );
  Object.assign(
    into,
    slots(state, (_, k) => program.vectors[1][k]),
  );
} else feeds["train.clip"] = flat(Float32Array.of(1));
Object.assign(
  into,
  slots(new Float32Array(packed.length), (_, k) => program.vectors[0][k]),
);
for (const name of Object.values(program.outputs)) into[name] = null;
let cpu = Infinity;
const wall = [];
for (let i = 0; i < Number(runs); i++) {
  const before = process.cpuUsage();
  const start = performance.now();
  await session.run(feeds, into);
  wall.push(performance.now() - start);
  const { user, system } = process.cpuUsage(before);
  cpu = Math.min(cpu, (user + system) / 1000);
}
wall.sort((a, b) => a - b);
const [least, middle] = [wall[0], wall[wall.length >> 1]].map((v) => v.toFixed(1));
console.log(
  `fastest ${least} ms, median ${middle}; ${cpu.toFixed(1)} ms of processor time, ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`,
);
if (process.env.PROFILE === "0") process.exit(0);
session.endProfiling();
const file = readdirSync(tmpdir())
  .filter((f) => f.startsWith("marauder-profile"))
  .map((f) => join(tmpdir(), f))
  .at(-1);
const events = JSON.parse(readFileSync(file, "utf8"));
if (process.env.KEEP) writeFileSync(process.env.KEEP, readFileSync(file));
rmSync(file);
const nodes = new Map();
for (const e of events) {
  if (!e.name.endsWith("_kernel_time")) continue;
  const { op_name, input_type_shape: shapes, output_type_shape: out } = e.args;
  const show = (list) => (list ?? []).map((s) => `[${Object.values(s)[0]}]`).join(" ");
  const known = nodes.get(e.name);
  if (known) known.us = Math.min(known.us, e.dur);
  else
    nodes.set(e.name, {
      name: e.name.slice(0, -12),
      op: op_name,
      us: e.dur,
      shapes: `${show(shapes)} -> ${show(out)}`,
    });
}
const all = [...nodes.values()];
const total = all.reduce((s, n) => s + n.us, 0);
const byOp = new Map();
for (const n of all) {
  const known = byOp.get(n.op) ?? { us: 0, count: 0 };
  byOp.set(n.op, { us: known.us + n.us, count: known.count + 1 });
}
const ms = (us) => (us / 1000).toFixed(2).padStart(9);
console.log(
  `${name} ${kind}: ${all.length} nodes, ${ms(total)} ms in kernels, ${cpu.toFixed(1)} ms of processor time, ` +
    `${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`,
);
for (const [op, { us, count }] of [...byOp].toSorted((a, b) => b[1].us - a[1].us).slice(0, 16)) {
  console.log(`${ms(us)} ${((100 * us) / total).toFixed(1).padStart(5)} %  ${op} x${count}`);
}
console.log("");
for (const n of all.toSorted((a, b) => b.us - a.us).slice(0, Number(process.env.TOP ?? 25))) {
  console.log(`${ms(n.us)}  ${n.op} ${n.name}  ${n.shapes}`);
}
