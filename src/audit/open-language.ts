import { basename } from "node:path";
import { lineBefore } from "../attacks/memorization/index.ts";
import type { PlanCanaries, PlanSubject, ReportSubject } from "../contract/index.ts";
import { encodeText, parseManifest, spacesOf, type Dataset } from "../data/index.ts";
import { ortEngine } from "../engine/ort-node.ts";
import { MarauderError } from "../errors.ts";
import { readBytes } from "../files.ts";
import { encodeModel, loadModel, type Model } from "../ir/index.ts";
import { float32 } from "../tensor/index.ts";
import { openLanguageTarget, type LanguageTarget } from "../target/index.ts";
import { makeTrainer } from "../train/index.ts";
import type { OpenSubject } from "./run.ts";
import { parametersOf } from "./parameters.ts";
import { canonicalJson, sha256 } from "./store.ts";

/**
 * Opens a language model with the secrets that were planted in its training text, and the models that it is compared with.
 * Throws DATA_CORRUPT for a manifest that was changed, MODEL_INPUT for a model that is no language model, DATA_INVALID where
 * a model does not know a character of the canaries.
 */
export async function openLanguageSubject(
  planned: PlanSubject,
  canaries: PlanCanaries,
  model: Model,
  at: (path: string) => string,
): Promise<OpenSubject> {
  const path = at(canaries.manifest);
  const manifest = parseManifest((await readBytes(path, "manifest of canaries")).toString("utf8"), canaries.manifest);
  const name = basename(planned.model!);
  checkTitles([planned.title ?? name, ...(canaries.compare ?? []).map((other) => other.title)]);
  const opened: LanguageTarget[] = [];
  const closeAll = async (): Promise<void> => {
    for (const target of opened) await target.close();
  };
  try {
    const open = async (file: Model, id: string): Promise<LanguageTarget> => {
      const target = await openLanguageTarget(file, { engine: ortEngine, id });
      opened.push(target);
      for (const format of spacesOf(manifest.canaries).values()) {
        for (const char of format.alphabet) encodeText(target.vocabulary, char, `the canaries, for ${id}`);
      }
      return target;
    };
    const target = await open(model, name);
    const files: Model[] = [model];
    const models = [{ title: planned.title ?? name, target, ...trainingOf(canaries) }];
    for (const other of canaries.compare ?? []) {
      const file = await loadModel(at(other.model));
      files.push(file);
      models.push({ title: other.title, target: await open(file, basename(other.model)), ...trainingOf(other) });
    }
    const before = canaries.before ?? lineBefore(target);
    const planted = manifest.canaries.filter((c) => c.repetitions > 0).length;
    const described: ReportSubject = {
      id: planned.id,
      title: planned.title ?? planned.id,
      description: [
        name,
        parametersOf(model),
        `${target.vocabulary.size} ${target.vocabulary.kind}`,
        `${planted} planted canaries and ${manifest.canaries.length - planted} controls in ${manifest.records.toLocaleString("en")} records`,
      ].join(", "),
      fingerprints: {
        model: `sha256:${sha256(encodeModel(model))}`,
        canaries: `sha256:${manifest.digest}`,
        ...(files.length > 1 && {
          "compared models": `sha256:${sha256(...files.slice(1).map((file) => encodeModel(file)))}`,
        }),
        "how it is read": `sha256:${sha256(canonicalJson({ ...canaries, manifest: null, before }))}`,
      },
      assumptions: canaries.before === undefined ? [assumption(before)] : [],
    };
    const trainer = makeTrainer(ortEngine);
    return {
      subject: {
        id: planned.id,
        target: null,
        model,
        bounds: { low: 0, high: 1 },
        test: nothing(planned.id),
        train: null,
        arch: "mlp",
        members: null,
        nonMembers: null,
        triggered: null,
        trainer,
        language: {
          canaries: manifest.canaries,
          manifest: { digest: manifest.digest, records: manifest.records },
          before,
          models,
        },
      },
      described,
      warnings: [],
      async close() {
        await closeAll();
        await trainer.close();
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

const trainingOf = ({ epochs, epsilon }: { epochs?: number; epsilon?: number }) => ({
  epochs: epochs ?? null,
  epsilon: epsilon ?? null,
});

const assumption = (before: string): string =>
  `${before === "" ? "nothing" : "a line break"} stands before each record, as in training; override with canaries.before in a plan`;

function checkTitles(titles: readonly string[]): void {
  const twice = titles.find((title, i) => titles.indexOf(title) !== i);
  if (twice === undefined) return;
  throw new MarauderError(
    "PLAN_INVALID",
    `two of the compared models have the title ${JSON.stringify(twice)}; give each its own`,
  );
}

const nothing = (name: string): Dataset => ({
  name,
  size: 0,
  features: float32([0, 1]),
  labels: null,
  classNames: [],
  rowIds: [],
  groups: {},
  storedAs: "float32",
  schema: null,
  table: null,
});
