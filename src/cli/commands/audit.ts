import { Option, type Command } from "commander";
import { dirname, extname } from "node:path";
import { auditPlan } from "../../audit/audit.ts";
import { checkPlan, parsePlan } from "../../audit/plan.ts";
import type { Plan, PlanCanaries, PlanSubject, Risk } from "../../contract/index.ts";
import { MarauderError } from "../../errors.ts";
import { readBytes } from "../../files.ts";
import { failOnOption, finishAudit } from "../finish-audit.ts";
import { addDataFlags, optionPair, positiveInteger, seedValue, subjectFromFlags, type DataFlags } from "../flags.ts";
import { listenWith, startProgress } from "../progress.ts";
import { list } from "../table-flags.ts";

interface AuditFlags extends DataFlags {
  only?: string[];
  quick?: boolean;
  failOn?: string;
  out: string;
  samples?: number;
  seed?: number;
  canaries?: string;
  compare?: Record<string, string>;
  json?: boolean;
  quiet?: boolean;
}

const risks: readonly Risk[] = ["evasion", "poisoning", "memorization"];

/** marauder audit <model.onnx | plan.json | plan.yaml | https://...> */
export function addAudit(main: Command, signal: AbortSignal): void {
  const command = main
    .command("audit")
    .description("attack a model in all three places, measure, judge, and write a report")
    .argument("<subject>", "a model (.onnx), a plan (.json, .yaml), or the URL of an endpoint");
  addDataFlags(command)
    .option("--members <path>", "rows that were in the training data")
    .option("--non-members <path>", "rows that were not")
    .option("--train <path>", "the training data")
    .addOption(
      new Option("--arch <arch>", "architecture that poisoning probes train").choices([
        "logistic",
        "mlp",
        "cnn",
        "resnet",
      ]),
    )
    .option("--canaries <manifest.json>", "for a language model: the secrets that were planted in its training text")
    .option(
      "--compare <title=lm.onnx>",
      "another language model of the same text beside it; may be repeated",
      optionPair,
    )
    .option("--only <risks>", "evasion, poisoning, memorization, separated by commas", list)
    .option("--samples <n>", "test rows that evasion attacks work on", positiveInteger)
    .option("--quick", "smaller budgets: a first look")
    .option("--seed <n>", "seed of everything random", seedValue)
    .addOption(failOnOption())
    .option("--out <folder>", "where evidence and report go", "marauder-report")
    .option("--json", "print report.json instead of the summary")
    .option("--quiet", "no progress on stderr")
    .addHelpText("after", examples)
    .action(async (subject: string, flags: AuditFlags) => {
      const { plan, folder } = await planOf(subject, flags);
      const progress = startProgress(process.stderr, flags.quiet);
      const report = await auditPlan(plan, { base: folder, out: flags.out, signal, listener: listenWith(progress) });
      progress.end();
      await finishAudit(report, flags.out, flags);
    });
}

const examples = `
Examples:
  marauder audit model.onnx --data t10k-images-idx3-ubyte.gz --bounds 0,255
  marauder audit model.onnx --data test.npz --train train.npz --quick --fail-on high
  marauder audit lm.onnx --only memorization --canaries planted/manifest.json --compare private=lm-dp.onnx
  marauder audit plan.yaml --out report
  marauder audit https://models.example/v1/predict --data test.csv --label fraud
`;

/** The plan of a file, or one made from flags, and the folder that its paths are relative to. */
async function planOf(subject: string, flags: AuditFlags): Promise<{ plan: Plan; folder: string }> {
  const wanted = onlyRisks(flags.only);
  if ([".json", ".yaml", ".yml"].includes(extname(subject).toLowerCase()) && !subject.startsWith("http")) {
    const plan = parsePlan((await readBytes(subject, "plan")).toString("utf8"), subject);
    return { plan: override(plan, flags, wanted), folder: dirname(subject) };
  }
  if (flags.data === undefined && flags.canaries === undefined) {
    throw new MarauderError(
      "USAGE",
      "an audit needs test data (for a language model the secrets planted in its text); give --data <file or folder>, --canaries <manifest.json>, or a plan file",
    );
  }
  if (flags.data !== undefined && flags.canaries !== undefined) {
    throw new MarauderError(
      "USAGE",
      "--data are for classifiers and --canaries for language models; give one of the two",
    );
  }
  const id = subject.startsWith("http")
    ? "endpoint"
    : (subject.split(/[\\/]/).at(-1) ?? "model").replace(/\.onnx$/i, "");
  const name = id.replace(/[^a-zA-Z0-9._-]/g, "-").replace(/^[^a-zA-Z0-9]+/, "") || "model";
  const own: PlanSubject =
    flags.data === undefined
      ? { id: name, model: subject, canaries: canariesOf(flags) }
      : await subjectFromFlags(name, subject, flags.data, flags);
  const plan = checkPlan(
    { schema: 1, subjects: [own], probes: [], repairs: [], quick: false, seed: 0 },
    "the command line",
  );
  return { plan: override(plan, flags, wanted), folder: "." };
}

function canariesOf({ canaries, compare = {} }: AuditFlags): PlanCanaries {
  return { manifest: canaries!, compare: Object.entries(compare).map(([title, model]) => ({ title, model })) };
}

function onlyRisks(only: readonly string[] | undefined): readonly Risk[] | null {
  if (only === undefined) return null;
  const unknown = only.find((r) => !risks.includes(r as Risk));
  if (unknown !== undefined)
    throw new MarauderError("USAGE", `--only must name ${risks.join(", ")}; got ${JSON.stringify(unknown)}`);
  return only as Risk[];
}

function override(plan: Plan, flags: AuditFlags, wanted: readonly Risk[] | null): Plan {
  const subjects = plan.subjects.map((s) => {
    const kept = wanted === null ? s.risks : (s.risks ?? risks).filter((r) => wanted.includes(r));
    return {
      ...s,
      ...(kept === undefined ? {} : { risks: kept }),
      ...(flags.samples === undefined ? {} : { samples: flags.samples }),
    };
  });
  return { ...plan, subjects, quick: flags.quick ?? plan.quick, seed: flags.seed ?? plan.seed };
}
