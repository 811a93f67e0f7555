// From files to a judged report: all that `marauder audit` does, in one call.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  audit,
  drawDigits,
  makeTrainer,
  ortEngine,
  renderMarkdown,
  runContext,
  saveModel,
  writeTable,
} from "marauder-ml";

const folder = await mkdtemp(join(tmpdir(), "audit-"));
const context = runContext({ seed: 5 });
const train = drawDigits(400, context.rng.child("train"));
await writeTable(train, join(folder, "train.npz"));
await writeTable(drawDigits(200, context.rng.child("test")), join(folder, "test.npz"));
const trainer = makeTrainer(ortEngine, { threads: 1 });
const trained = await trainer(train, { arch: "mlp", epochs: 30 }, context);
await saveModel(trained.model, join(folder, "digits.onnx"));
await trained.close();
await trainer.close();

const report = await audit(
  {
    subjects: [
      { id: "digits", model: "digits.onnx", data: "test.npz", train: "train.npz", bounds: [0, 255], samples: 20 },
    ],
    probes: [{ probe: "evasion" }, { probe: "membership" }],
  },
  { base: folder, quick: true },
);
for (const finding of report.findings) {
  if (finding.outcome !== "inapplicable") console.log(`${finding.outcome}  ${finding.check}: ${finding.title}`);
}
console.log(`the report as Markdown has ${renderMarkdown(report).includes("digits") ? "these findings" : "nothing"}`);
await rm(folder, { recursive: true });
