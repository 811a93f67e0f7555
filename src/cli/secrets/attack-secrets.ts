import { byFormat, extract, secretAttacks, type Extraction } from "../../attacks/memorization/index.ts";
import { openSubject } from "../../audit/open.ts";
import { exposureProbe } from "../../audit/probes/secrets.ts";
import { familiesOf, levelsOf, times } from "../../audit/checks/exposure-levels.ts";
import type { LanguageSubject } from "../../audit/probe.ts";
import type { CanaryExposureEvidence, CanaryExposureResult } from "../../contract/index.ts";
import type { Canary } from "../../data/index.ts";
import { MarauderError } from "../../errors.ts";
import { resolveOptions } from "../../options.ts";
import { seeded } from "../../random/index.ts";
import { startProgress } from "../progress.ts";
import { columns, printable } from "../text.ts";

export interface SecretFlags {
  readonly canaries?: string;
  readonly canary?: readonly string[];
  readonly option?: Record<string, string>;
  readonly seed: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export const secretAttackIds: readonly string[] = secretAttacks.map((a) => a.id);

/** marauder attack exposure|extract lm.onnx --canaries manifest.json; writes to stdout. */
export async function attackSecrets(id: string, model: string, flags: SecretFlags, signal: AbortSignal): Promise<void> {
  if (flags.canaries === undefined) {
    throw new MarauderError(
      "USAGE",
      `${id} looks for secrets that were planted in a training text; give --canaries <manifest.json>, which marauder canaries plant writes`,
    );
  }
  const planned = { id: "model", title: model, model, canaries: { manifest: flags.canaries } };
  const opened = await openSubject(planned, ".", { signal });
  const progress = startProgress(process.stderr, flags.quiet);
  const write = (text: string): void => void process.stdout.write(text + "\n");
  try {
    for (const line of opened.described.assumptions) progress.line(`  assumed: ${printable(line)}`);
    const language = chosen(opened.subject.language!, flags.canary);
    const context = { rng: seeded(flags.seed).child(id), signal, step: progress.step };
    if (id === "exposure") {
      progress.task(`exposure of ${language.canaries.length} canaries`);
      const options = resolveOptions(exposureProbe.options, flags.option ?? {}, "the attack exposure");
      const result = await exposureProbe.run(context, { ...opened.subject, language }, options);
      progress.end();
      write(flags.json === true ? JSON.stringify(result, null, 2) : exposureText(result, model));
      return;
    }
    const options = resolveOptions(extract.options, flags.option ?? {}, "the attack extract");
    const all: Extraction[] = [];
    const groups = byFormat(language.canaries);
    if (flags.json !== true)
      write(`extract on ${model}, ${groups.length} searches of at most ${options.budget} questions`);
    for (const { canaries } of groups) {
      progress.task(`searching for ${canaries.map((c) => c.id).join(", ")}`);
      const subject = { model: language.models[0]!.target, canaries, before: language.before };
      const [one] = await extract.run(context, subject, options);
      progress.end();
      all.push(one!);
      if (flags.json !== true) for (const line of searchLines(one!, canaries)) write(line);
    }
    if (flags.json === true) write(JSON.stringify(all, null, 2));
    else write(totalLine(all, language.canaries));
  } finally {
    await opened.close();
  }
}

function chosen(language: LanguageSubject, ids: readonly string[] | undefined): LanguageSubject {
  if (ids === undefined) return language;
  const unknown = ids.find((id) => !language.canaries.some((c) => c.id === id));
  if (unknown !== undefined) {
    const known = language.canaries.slice(0, 5).map((c) => c.id);
    throw new MarauderError(
      "UNKNOWN_ID",
      `the manifest has no canary ${JSON.stringify(unknown)}; expected one of ${known.join(", ")}, ... (${language.canaries.length} in all)`,
    );
  }
  return { ...language, canaries: language.canaries.filter((c) => ids.includes(c.id)) };
}

const bits = (x: number): string => x.toFixed(1);

function exposureText(result: CanaryExposureResult, model: string): string {
  const evidence = result as CanaryExposureEvidence;
  const parts = [`exposure on ${model}, ${result.canaries.length} canaries in ${result.records} records`];
  for (const family of familiesOf(evidence)) {
    const { spaceBits } = result.canaries.find((c) => c.family === family)!;
    const rows = levelsOf(evidence, 0, family).map(({ repetitions, n, mean }) => {
      const own = result.models[0]!.exposures.filter(
        (_, i) => result.canaries[i]!.family === family && result.canaries[i]!.repetitions === repetitions,
      );
      return [
        times(repetitions),
        String(n),
        `${bits(mean.value)} (${bits(mean.low)} to ${bits(mean.high)})`,
        bits(Math.max(...own.map((e) => e.bits))),
        String(own.filter((e) => e.rank === 1).length),
        [...new Set(own.map((e) => e.method))].join(", "),
      ];
    });
    const head = ["planted", "canaries", "mean exposure, bits (95 %)", "largest", "ranked first", "by"];
    parts.push("", `"${family}": ${bits(spaceBits)} bits when it comes first, 1.4 by guessing`, columns(head, rows));
  }
  return parts.join("\n");
}

function searchLines(
  { found, extracted, asked, complete, restAtLeast }: Extraction,
  canaries: readonly Canary[],
): string[] {
  return canaries.map(({ id, repetitions }) => {
    const who = `  ${id}, ${repetitions === 0 ? "never planted" : `planted ${times(repetitions)}`}: `;
    const hit = found.find((f) => f.canary === id);
    if (extracted.includes(id) && hit !== undefined) {
      return `${who}EXTRACTED "${hit.text}" (${bits(hit.cost)} bits, ${asked} questions; every other text of its form costs more)`;
    }
    if (!complete) {
      return `${who}nothing found within ${asked} questions (what is left costs at least ${bits(restAtLeast)} bits)`;
    }
    return `${who}not extracted: "${found[0]!.text}" comes first (${bits(found[0]!.cost)} bits, ${asked} questions)`;
  });
}

function totalLine(all: readonly Extraction[], canaries: readonly Canary[]): string {
  const out = new Set(all.flatMap((e) => e.extracted));
  const count = (list: readonly Canary[]): string => `${list.filter((c) => out.has(c.id)).length} of ${list.length}`;
  const controls = canaries.filter((c) => c.repetitions === 0);
  const rest = canaries.filter((c) => c.repetitions > 0);
  return `extracted ${count(rest)} planted secrets${controls.length === 0 ? "" : `, and ${count(controls)} that were never planted`}`;
}
