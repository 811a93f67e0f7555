import { InvalidArgumentError, Option, type Command } from "commander";
import { join } from "node:path";
import {
  countCanaries,
  drawCanaries,
  jsonLinesOf,
  makeManifest,
  parseManifest,
  plainText,
  plantCanaries,
  readTexts,
  type ReadTextOptions,
  type TextRecord,
} from "../../data/index.ts";
import { MarauderError } from "../../errors.ts";
import { readBytes, writeAtomically } from "../../files.ts";
import { seeded } from "../../random/index.ts";
import { exit } from "../exit.ts";
import { positiveInteger, seedValue } from "../flags.ts";
import { columns } from "../text.ts";

interface CorpusFlags {
  corpus: string;
  files?: string;
  label?: string;
  split?: "paragraphs" | "lines" | "whole";
  json?: boolean;
}

interface PlantFlags extends CorpusFlags {
  format?: string[];
  repetitions: number[];
  each: number;
  window?: number;
  plain?: boolean;
  samples?: number;
  test: number;
  seed: number;
  out: string;
}

/** Forms that a model of lower-case text can spell, each with a made-up owner, so that each secret has its own question. */
const FORMATS = ["the card of {owner} is {card}", "the ssn of {owner} is {ssn}", "the pin of {owner} is {digits:5}"];

const collect = (text: string, before: string[] = []): string[] => [...before, text];

function counts(text: string): number[] {
  return text.split(",").map((part) => {
    const n = part.trim() === "" ? NaN : Number(part);
    if (!Number.isSafeInteger(n) || n < 0)
      throw new InvalidArgumentError(`expected whole numbers from 0, separated by commas, got "${text}".`);
    return n;
  });
}

const corpusFlags = (command: Command): Command =>
  command
    .requiredOption(
      "--corpus <path>",
      "training text: a folder or .tar.gz of mails, labelled messages, .jsonl, or plain text",
    )
    .option("--files <part>", "of a folder or an archive only files whose path has this part")
    .option("--label <label>", "of labelled messages only those with this label")
    .addOption(
      new Option("--split <how>", "how plain text falls into records").choices(["paragraphs", "lines", "whole"]),
    );

/** marauder canaries plant | check */
export function addCanaries(main: Command): void {
  const group = main
    .command("canaries")
    .description("plant made-up secrets in a training text, to find out later whether a model gives them away");
  corpusFlags(group.command("plant").description("draw secrets, plant them, and write the corpus and a manifest"))
    .option(
      "--format <text>",
      "form of a secret with holes {card}, {ssn}, {digits:N} and {owner}; may be repeated",
      collect,
    )
    .option("--repetitions <list>", "how often secrets are planted; 0 makes controls", counts, [0, 1, 10, 100])
    .option("--each <n>", "secrets of each form and number of repetitions", positiveInteger, 5)
    .option("--plain", "write everything in lower-case ASCII, as small models of characters want it")
    .option("--window <n>", "cut records to so many characters: one window, one record", positiveInteger)
    .option("--samples <n>", "use the first n records", positiveInteger)
    .option("--test <n>", "records that are left out of the corpus, to measure the model on", seedValue, 0)
    .option("--seed <n>", "seed of everything random", seedValue, 0)
    .option("--out <folder>", "where the corpus and manifest.json go", "planted")
    .option("--json", "print JSON")
    .addHelpText("after", examples)
    .action(async (flags: PlantFlags) => {
      const result = await plant(flags);
      process.stdout.write(flags.json === true ? JSON.stringify(result, null, 2) + "\n" : plantText(result, flags.out));
    });
  corpusFlags(
    group.command("check").description("count the secrets of a manifest in a corpus; exit 1 where it does not match"),
  )
    .requiredOption("--canaries <manifest.json>", "the manifest")
    .option("--json", "print JSON")
    .action(async (flags: CorpusFlags & { canaries: string }) => {
      const rows = await check(flags, flags.canaries);
      const wrong = rows.filter((r) => r.found !== r.expected);
      process.stdout.write(flags.json === true ? JSON.stringify(rows, null, 2) + "\n" : checkText(rows, wrong));
      process.exitCode = wrong.length === 0 ? exit.clean : exit.findings;
    });
}

const examples = `
Examples:
  marauder canaries plant --corpus mails.tar.gz --files ham/ --plain --window 63 --test 300 --out planted
  marauder canaries plant --corpus notes.txt --format "my code is {digits:6}" --repetitions 0,1,5,50 --each 20
  marauder canaries check --corpus planted/corpus.txt --split lines --canaries planted/manifest.json
`;

interface Planted {
  readonly corpus: string;
  /** Records that were left out; null for none. */
  readonly test: string | null;
  readonly manifest: string;
  readonly records: number;
  readonly plantedRecords: number;
  readonly canaries: number;
  readonly controls: number;
}

async function plant(flags: PlantFlags): Promise<Planted> {
  const manifest = join(flags.out, "manifest.json");
  const rng = seeded(flags.seed).child("canaries");
  const formats = flags.format ?? FORMATS;
  const canaries = drawCanaries({ formats, repetitions: flags.repetitions, each: flags.each }, rng);
  if (flags.plain === true) checkPlain(formats);
  const fits = canaries.find((c) => flags.window !== undefined && c.text.length > flags.window);
  if (fits !== undefined) {
    throw new MarauderError(
      "OPTION_RANGE",
      `a canary of ${fits.text.length} characters does not fit a window of ${flags.window}; take --window ${fits.text.length} or more`,
    );
  }
  const given = (await texts(flags, flags.samples)).map((r) => prepared(r, flags));
  if (flags.test >= given.length) {
    throw new MarauderError(
      "NOT_ENOUGH_DATA",
      `leaving out ${flags.test} of ${given.length} records leaves none to train on; lower --test`,
    );
  }
  const order = Array.from(rng.child("test").permutation(given.length), (i) => given[i]!);
  const [left, records] = [order.slice(0, flags.test), order.slice(flags.test)];
  const twice = countCanaries(records, canaries);
  const there = canaries.find((c) => (twice.get(c.id) ?? 0) > 0);
  if (there !== undefined) {
    throw new MarauderError(
      "DATA_INVALID",
      `the corpus holds the text of canary ${there.id} already; expected a corpus without it; take another --seed or longer holes`,
    );
  }
  const all = plantCanaries(records, canaries, rng.child("plant"));
  // A line for each record where that can be, since marauder train reads such files (--lines).
  const lines = given.every((r) => !/[\r\n]/.test(r.text));
  const write = async (name: string, list: readonly TextRecord[]): Promise<string> => {
    const path = join(flags.out, `${name}${lines ? ".txt" : ".jsonl"}`);
    await writeAtomically(path, lines ? list.map((r) => `${r.text}\n`).join("") : jsonLinesOf(list));
    return path;
  };
  const corpus = await write("corpus", all);
  const test = left.length === 0 ? null : await write("test", left);
  await writeAtomically(manifest, JSON.stringify(makeManifest(all.length, canaries), null, 1) + "\n");
  const controls = canaries.filter((c) => c.repetitions === 0).length;
  return {
    corpus,
    test,
    manifest,
    records: all.length,
    plantedRecords: all.length - records.length,
    canaries: canaries.length - controls,
    controls,
  };
}

const texts = ({ corpus, files, label, split }: CorpusFlags, samples?: number): Promise<TextRecord[]> =>
  readTexts(corpus, {
    ...(files !== undefined && { only: files }),
    ...(label !== undefined && { label }),
    ...(split !== undefined && { split }),
    ...(samples !== undefined && { samples }),
  } satisfies ReadTextOptions);

function prepared({ id, text }: TextRecord, { plain, window }: PlantFlags): TextRecord {
  const own = plain === true ? plainText(text) : text;
  return { id, text: window === undefined ? own : own.replace(/\s+/g, " ").trim().slice(0, window) };
}

function checkPlain(formats: readonly string[]): void {
  const bad = formats.find((f) => plainText(f) !== f);
  if (bad === undefined) return;
  throw new MarauderError(
    "OPTION_RANGE",
    `the format ${JSON.stringify(bad)} is not plain lower-case text, as --plain makes the corpus; write ${JSON.stringify(plainText(bad))}`,
  );
}

function plantText(r: Planted, out: string): string {
  return (
    `wrote ${r.corpus}: ${r.records} records, ${r.plantedRecords} of them with one of ${r.canaries} planted secrets\n` +
    `wrote ${r.manifest}: the secrets, and ${r.controls} controls that were planted nowhere; next:\n` +
    (r.corpus.endsWith(".txt")
      ? `  marauder train --arch char-lstm --data ${r.corpus} --lines${r.test === null ? "" : ` --test ${r.test}`} --out lm.onnx\n`
      : "") +
    `  marauder audit lm.onnx --only memorization --canaries ${join(out, "manifest.json")}\n`
  );
}

interface Counted {
  readonly id: string;
  readonly expected: number;
  readonly found: number;
}

async function check(flags: CorpusFlags, path: string): Promise<Counted[]> {
  const manifest = parseManifest((await readBytes(path, "manifest of canaries")).toString("utf8"), path);
  const found = countCanaries(await texts(flags), manifest.canaries);
  return manifest.canaries.map(({ id, repetitions }) => ({ id, expected: repetitions, found: found.get(id) ?? 0 }));
}

function checkText(rows: readonly Counted[], wrong: readonly Counted[]): string {
  if (wrong.length === 0) return `all ${rows.length} canaries are in the corpus as often as the manifest says\n`;
  const shown = wrong.slice(0, 20).map((r) => [r.id, String(r.expected), String(r.found)]);
  return `${columns(["canary", "manifest", "corpus"], shown)}\n${wrong.length} of ${rows.length} canaries are not in the corpus as often as the manifest says\n`;
}
