import { Option, type Command } from "commander";
import { asImages } from "../../audit/train-model.ts";
import type { SanitizationAudit } from "../../contract/index.ts";
import { openDataset, writeTable, type Dataset } from "../../data/index.ts";
import { detectors, sanitize, type Sanitized } from "../../defenses/data/index.ts";
import { ortEngine } from "../../engine/ort-node.ts";
import { MarauderError } from "../../errors.ts";
import { writeAtomically } from "../../files.ts";
import { seeded } from "../../random/index.ts";
import { makeTrainer, type Arch } from "../../train/index.ts";
import { exit } from "../exit.ts";
import { optionPair, positiveInteger, seedValue } from "../flags.ts";
import { addTableFlags, tableOptions, type TableFlags } from "../table-flags.ts";
import { startProgress } from "../progress.ts";
import { columns, percent, percentInterval, printable } from "../text.ts";

interface SanitizeFlags extends TableFlags {
  detector?: string;
  option?: Record<string, string>;
  arch?: Arch;
  reference?: string;
  action: "remove" | "flag";
  looks: number;
  seed: number;
  out: string;
  json?: boolean;
  quiet?: boolean;
}

/** marauder sanitize data --label ... --out clean.csv */
export function addSanitize(main: Command, signal: AbortSignal): void {
  const command = main
    .command("sanitize")
    .description("find suspicious training rows, remove or flag them, and say whom that hurt")
    .argument("<data>", "training data: .csv, .parquet, .jsonl, .npz, idx(.gz)");
  addTableFlags(command)
    .addOption(new Option("--detector <id>", "what looks for bad rows").choices(detectors.map((d) => d.id)))
    .option("--option <name=value>", "an option of the detector; may be repeated", optionPair)
    .addOption(
      new Option("--arch <arch>", "architecture to retrain with").choices(["logistic", "mlp", "cnn", "resnet"]),
    )
    .option("--reference <path>", "rows that are trusted to be clean: the detector compares with them")
    .addOption(
      new Option("--action <what>", "remove rows, or keep all and only list them")
        .choices(["remove", "flag"])
        .default("remove"),
    )
    .option(
      "--looks <n>",
      "with --reference: after each find, train on the rest and look again, at most so many looks in all",
      positiveInteger,
      3,
    )
    .option("--seed <n>", "seed of everything random", seedValue, 0)
    .requiredOption("--out <file>", "where the kept rows go: .csv (of a table) or .npz; the audit goes beside it")
    .option("--json", "print JSON")
    .option("--quiet", "no progress on stderr")
    .addHelpText("after", examples)
    .action(async (path: string, flags: SanitizeFlags) => {
      const { result, data } = await run(path, flags, signal);
      const printed = summary(path, flags, data, result);
      await writeAtomically(`${flags.out}.audit.json`, JSON.stringify(printed, null, 1) + "\n");
      process.stdout.write(
        flags.json === true ? JSON.stringify(printed, null, 2) + "\n" : describe(flags, data, result) + "\n",
      );
      process.exitCode = result.exitCode === 1 ? exit.findings : exit.clean;
    });
}

const examples = `
Exit code 1 says that the removal was uneven: some group or class lost clearly more than its share.

Examples:
  marauder sanitize train.csv --label fraud --groups region,age_band --out clean.csv
  marauder sanitize train.npz --detector spectral-signatures --arch cnn --reference trusted.npz --out clean.npz
`;

async function run(
  path: string,
  flags: SanitizeFlags,
  signal: AbortSignal,
): Promise<{ result: Sanitized; data: Dataset }> {
  const options = tableOptions(flags);
  const data = asImages(await openDataset(path, options));
  if (data.labels === null) {
    const there = data.table === null ? "" : `; its columns are ${data.table.header.join(", ")}`;
    throw new MarauderError("DATA_LABELS", `${path} has no labels; give --label <column> or --labels <file>${there}`);
  }
  if (!/\.(npz|csv)$/i.test(flags.out) || (data.table === null && /\.csv$/i.test(flags.out))) {
    const expected = data.table === null ? ".npz, since the data are no table" : ".csv or .npz";
    throw new MarauderError("USAGE", `--out ${flags.out} must end in ${expected}`);
  }
  const reference =
    flags.reference === undefined
      ? null
      : asImages(
          await openDataset(flags.reference, {
            ...options,
            classNames: data.classNames,
            ...(data.schema !== null && { schema: data.schema }),
          }),
        );
  const arch = flags.arch ?? (data.features.dims.length === 4 ? "cnn" : "mlp");
  const progress = startProgress(process.stderr, flags.quiet);
  const trainer = makeTrainer(ortEngine);
  try {
    progress.task(`sanitizing ${data.size} rows`);
    const result = await sanitize(
      data,
      {
        detector: flags.detector ?? (data.schema === null ? "spectral-signatures" : "knn-label-agreement"),
        ...(flags.option !== undefined && { options: flags.option }),
        ...(flags.groups !== undefined && data.schema !== null && { groups: flags.groups }),
        action: flags.action,
        looks: flags.looks,
        reference,
        trainer,
        trainOptions: { arch },
      },
      { rng: seeded(flags.seed).child("sanitize"), signal, step: progress.step },
    );
    progress.end();
    await writeTable(result.kept, flags.out);
    return { result, data };
  } finally {
    await trainer.close();
  }
}

const summary = (
  path: string,
  flags: SanitizeFlags,
  data: Dataset,
  { removed, looks, detected, audit, kept }: Sanitized,
) => ({
  data: path,
  out: flags.out,
  detector: detected.detection.detector,
  action: flags.action,
  seed: flags.seed,
  rows: data.size,
  kept: kept.size,
  looks: looks.map((l) => ({ rows: l.rows, flagged: l.flagged.length })),
  flagged: removed.map(({ id, score, reason }) => ({ id, score, reason })),
  alpha: detected.detection.alpha,
  assumes: detected.detection.assumes,
  verdict: audit.verdict,
  why: audit.why,
  audit,
});

function describe(flags: SanitizeFlags, data: Dataset, { removed, looks, detected, audit, kept }: Sanitized): string {
  const { detection } = detected;
  const lines = [
    removed.length === 0
      ? `${detection.detector}: nothing found in ${data.size} rows, at a false-alarm rate of ${percent(detection.alpha)} for the whole data set`
      : `${detection.detector}: ${removed.length} of ${data.size} rows ${flags.action === "flag" ? "flagged" : "removed"} (${percent(removed.length / data.size)})`,
    `  it assumes: ${detection.assumes}`,
    ...(looks.length < 2 ? [] : [`  ${lookText(looks.map((l) => l.flagged.length))}`]),
    ...removed.slice(0, 10).map((r) => `  row ${printable(r.id)}: ${printable(r.reason)}`),
    ...(removed.length > 10 ? [`  ... and ${removed.length - 10} more in ${flags.out}.audit.json`] : []),
    `wrote ${kept.size} rows to ${flags.out}`,
  ];
  if (removed.length > 0)
    lines.push(
      "",
      "Whom the removal hit",
      groupTable(audit),
      ...accuracyLines(audit),
      "",
      `verdict: ${audit.verdict}. ${audit.why}`,
    );
  return lines.join("\n");
}

/** "look 1: 70 rows; look 2, at the rest: nothing" */
function lookText(flagged: readonly number[]): string {
  const each = flagged.map(
    (n, i) => `look ${i + 1}${i === 0 ? "" : ", at the rest"}: ${n === 0 ? "nothing" : `${n} rows`}`,
  );
  const open = flagged.at(-1)! > 0 ? "; there may be more, since the last look still found rows (--looks)" : "";
  return each.join("; ") + open;
}

function groupTable(audit: SanitizationAudit): string {
  const interval = (i: { value: number; low: number; high: number } | null): string =>
    i === null ? "" : `${i.value.toFixed(2)} (${i.low.toFixed(2)} to ${i.high.toFixed(2)})`;
  return columns(
    ["column", "value", "rows", "removed", "rate", "ratio to the rest", "within class", "verdict"],
    audit.groups.map((g) => [
      printable(g.column),
      printable(g.value),
      String(g.rows),
      String(g.removed),
      percentInterval(g.rate),
      interval(g.ratio),
      interval(g.ratioWithinClass),
      g.verdict,
    ]),
  );
}

function accuracyLines({ accuracy }: SanitizationAudit): string[] {
  if (accuracy === null) return ["(give --reference to measure what the removal did to accuracy)"];
  const { original, sanitized, placebo, testRows } = accuracy;
  return [
    `accuracy on ${testRows} trusted rows: trained on all ${percent(original)}, on the kept ${percent(sanitized)}, after random removal of as many ${percent(placebo)}`,
  ];
}
