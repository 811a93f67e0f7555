import { basename, isAbsolute, join } from "node:path";
import type { PlanSubject, ReportSubject } from "../contract/index.ts";
import { openDataset, valueRange, type Dataset, type OpenOptions } from "../data/index.ts";
import { ortEngine } from "../engine/ort-node.ts";
import { MarauderError } from "../errors.ts";
import { encodeModel, loadModel, type Model } from "../ir/index.ts";
import { seeded } from "../random/index.ts";
import { openHttpTarget, openOnnxTarget, type Bounds, type HttpConfigInput, type Target } from "../target/index.ts";
import { makeTrainer, type Arch } from "../train/index.ts";
import { boundsOf } from "./bounds.ts";
import { fit } from "./fit-data.ts";
import { isUrl, publicSubject, publicUrl } from "./public-plan.ts";
import { openLanguageSubject } from "./open-language.ts";
import { notesOf, type ModelNotes } from "./model-notes.ts";
import { parametersOf } from "./parameters.ts";
import type { OpenSubject } from "./run.ts";
import { canonicalJson, sha256 } from "./store.ts";

export interface OpenSettings {
  readonly signal?: AbortSignal;
  /** Use only the first so many rows of the test data. */
  readonly first?: number;
}

/**
 * Opens a subject of a plan: the model as a target, its data in the model's shape and range. Paths are relative to
 * `base`. What had to be assumed is written down, with the flag that overrides it.
 */
export async function openSubject(
  planned: PlanSubject,
  base: string,
  settings: OpenSettings = {},
): Promise<OpenSubject> {
  const at = (path: string): string => (isAbsolute(path) ? path : join(base, path));
  const assumptions: string[] = [];
  if (planned.http !== undefined && (planned.model === undefined || !isUrl(planned.model))) {
    throw new MarauderError(
      "USAGE",
      "request templates (--http, --classes, http: in a plan) are for endpoints; give a URL as the model",
    );
  }
  const model = planned.model === undefined || isUrl(planned.model) ? null : await loadModel(at(planned.model));
  if (planned.canaries !== undefined) return openLanguageSubject(planned, planned.canaries, model!, at);
  const notes: ModelNotes = model === null ? {} : notesOf(model);
  const raw = await openAll(planned, notes, at, settings.first);
  const bounds = chooseBounds(planned, notes, raw.test, assumptions);
  const target = await openTarget(planned, model, bounds, raw.test, settings.signal, assumptions);
  try {
    const shape = target?.inputShape ?? planned.shape ?? null;
    const fitted = (data: Dataset, say: string[]): Dataset =>
      fit(data, { shape, bounds, transpose: planned.transpose === true }, say);
    const test = fitted(raw.test, assumptions);
    const quiet: string[] = [];
    const open = (data: Dataset | null): Dataset | null => (data === null ? null : fitted(data, quiet));
    const train = open(raw.train);
    let members = open(raw.members);
    let nonMembers = open(raw.nonMembers);
    if (members === null && nonMembers === null && train !== null && target !== null) {
      members = train;
      nonMembers = test;
      if (planned.risks === undefined || planned.risks.includes("memorization"))
        assumptions.push(
          "the training data count as members and the test data as non-members; override with --members and --non-members",
        );
    }
    if (target !== null) checkLabels(test, target);
    const arch =
      (planned.arch as Arch | undefined) ??
      notes.arch ??
      (test.schema === null && test.features.dims.length >= 3 ? "cnn" : "mlp");
    const trainer = makeTrainer(ortEngine);
    const triggered =
      raw.triggered === null ? null : { data: fitted(raw.triggered, quiet), target: planned.triggered!.target };
    const fingerprints = {
      ...(model === null ? {} : { model: `sha256:${sha256(encodeModel(model))}` }),
      ...(planned.model !== undefined && isUrl(planned.model) ? { endpoint: publicUrl(planned.model) } : {}),
      // The query chooses what is asked; header values may rotate and decide nothing.
      "how it is read": `sha256:${sha256(query(planned), canonicalJson({ ...publicSubject(planned), title: undefined, id: undefined, risks: undefined, samples: undefined }))}`,
      ...Object.fromEntries(
        Object.entries({
          data: test,
          train,
          // Training and test data that merely serve as members and non-members are named once.
          members: members === train ? null : members,
          "non-members": nonMembers === test ? null : nonMembers,
          triggered: triggered?.data ?? null,
        })
          .filter((entry): entry is [string, Dataset] => entry[1] !== null)
          .map(([role, data]) => [role, fingerprintOf(data)]),
      ),
    };
    const described: ReportSubject = {
      id: planned.id,
      title: planned.title ?? planned.id,
      description: describe(planned, model, target, bounds, test),
      fingerprints,
      assumptions,
    };
    return {
      subject: {
        id: planned.id,
        target,
        model,
        bounds,
        test,
        train,
        arch,
        members,
        nonMembers,
        triggered,
        trainer,
        language: null,
      },
      described,
      warnings: [],
      async close() {
        await target?.close();
        await trainer.close();
      },
    };
  } catch (error) {
    await target?.close();
    throw error;
  }
}

interface RawData {
  readonly test: Dataset;
  readonly train: Dataset | null;
  readonly members: Dataset | null;
  readonly nonMembers: Dataset | null;
  readonly triggered: Dataset | null;
}

/** Opens every data file of a subject. Tables share one schema: the model's own, else that of the training data. */
async function openAll(
  planned: PlanSubject,
  notes: ModelNotes,
  at: (path: string) => string,
  first?: number,
): Promise<RawData> {
  const classNames = planned.classNames ?? notes.classNames;
  const label = planned.label ?? notes.label;
  const common: OpenOptions = {
    ...(label !== undefined && { label }),
    ...(planned.groups !== undefined && { groups: planned.groups }),
    ...(planned.rowId !== undefined && { id: planned.rowId }),
    ...(planned.ignore !== undefined && { ignore: planned.ignore }),
    ...(planned.missing !== undefined && { missing: planned.missing }),
    ...(classNames !== undefined && { classNames }),
    ...(notes.schema !== undefined && { schema: notes.schema }),
  };
  const train = planned.train === undefined ? null : await openDataset(at(planned.train), common);
  const shared: OpenOptions = {
    ...common,
    ...(common.schema === undefined && train?.schema != null && { schema: train.schema }),
    ...(common.classNames === undefined &&
      train !== null &&
      train.classNames.length > 0 && { classNames: train.classNames }),
  };
  const open = async (path: string | undefined): Promise<Dataset | null> =>
    path === undefined ? null : openDataset(at(path), shared);
  const test = await openDataset(at(planned.data!), {
    ...shared,
    ...(planned.labels !== undefined && { labels: at(planned.labels) }),
    ...(first !== undefined && { samples: first }),
  });
  return {
    test,
    train,
    members: await open(planned.members),
    nonMembers: await open(planned.nonMembers),
    triggered: await open(planned.triggered?.data),
  };
}

/** The input range: said by the user, written in the model, or clear from the data; else an error that says what to do. */
function chooseBounds(planned: PlanSubject, notes: ModelNotes, test: Dataset, assumptions: string[]): Bounds {
  const pair = (p: readonly [number, number]): Bounds => ({ low: p[0], high: p[1] });
  if (planned.bounds !== undefined) return pair(planned.bounds);
  if (test.schema !== null) {
    const own = boundsOf(test)!;
    assumptions.push("each column may take the values that it takes in the data");
    return pair(own);
  }
  if (notes.bounds !== undefined) {
    assumptions.push(
      `inputs range from ${notes.bounds[0]} to ${notes.bounds[1]}, as the model file says; override with --bounds`,
    );
    return pair(notes.bounds);
  }
  const http = planned.http?.["bounds"] as Partial<Bounds> | undefined;
  if (typeof http?.low === "number" && typeof http.high === "number") return { low: http.low, high: http.high };
  if (planned.mean !== undefined || planned.sd !== undefined) {
    assumptions.push("inputs range from 0 to 1 before --mean and --sd are applied; override with --bounds");
    return { low: 0, high: 1 };
  }
  const { low, high } = valueRange(test);
  throw new MarauderError(
    "BOUNDS_MISSING",
    `the model's input range is not known; expected --bounds low,high in the model's own units (the data run from ${low} to ${high}; common are 0,1 and 0,255)`,
  );
}

async function openTarget(
  planned: PlanSubject,
  model: Model | null,
  bounds: Bounds,
  test: Dataset,
  signal: AbortSignal | undefined,
  assumptions: string[],
): Promise<Target | null> {
  if (planned.model === undefined) return null;
  if (model === null) {
    const classes = planned.http?.["classes"] ?? responseNames(planned.http)?.length;
    const assumed = Math.max(2, test.classNames.length);
    if (classes === undefined && planned.classNames === undefined)
      assumptions.push(
        `the endpoint tells ${assumed} classes apart, as many as the labels of the data; override with --classes`,
      );
    const config = {
      id: publicUrl(planned.model),
      // What TensorFlow Serving and many others speak; a plan's or file's own templates win.
      request: { instances: "$inputs" },
      response: { scores: "predictions[*]" },
      ...planned.http,
      url: planned.model,
      inputShape: planned.shape ?? planned.http?.["inputShape"] ?? test.features.dims.slice(1),
      classes: classes ?? assumed,
      bounds,
    } as unknown as HttpConfigInput; // openHttpTarget checks it
    return openHttpTarget(config, { rng: seeded(0).child("http"), ...(signal !== undefined && { signal }) });
  }
  return openOnnxTarget(model, {
    engine: ortEngine,
    id: basename(planned.model),
    bounds,
    ...(planned.mean !== undefined && { mean: planned.mean }),
    ...(planned.sd !== undefined && { sd: planned.sd }),
    ...(planned.shape !== undefined && { inputShape: planned.shape }),
    ...(planned.input !== undefined && { input: planned.input }),
    ...(planned.output !== undefined && { output: planned.output }),
  });
}

/** One line for the report: what was attacked, in which units. */
function describe(
  planned: PlanSubject,
  model: Model | null,
  target: Target | null,
  bounds: Bounds,
  test: Dataset,
): string {
  const what =
    planned.model === undefined
      ? "data only"
      : isUrl(planned.model)
        ? publicUrl(planned.model)
        : basename(planned.model);
  const parts = [what];
  if (model !== null) parts.push(parametersOf(model));
  if (target !== null) parts.push(`input [N, ${target.inputShape.join(", ")}]`, `${target.classes} classes`);
  parts.push(
    test.schema === null
      ? `bounds ${bounds.low} to ${bounds.high}`
      : `${test.schema.columns.filter((c) => c.role === "feature").length} columns`,
  );
  parts.push(`${test.size.toLocaleString("en")} test rows from ${basename(planned.data!)}`);
  return parts.join(", ");
}

function checkLabels(test: Dataset, target: Target): void {
  if (test.labels === null) return;
  const worst = test.labels.findIndex((label) => label >= target.classes || label < 0);
  if (worst >= 0) {
    throw new MarauderError(
      "DATA_LABELS",
      `row ${test.rowIds[worst]} has the label ${test.labels[worst]}; expected 0 to ${target.classes - 1}, since the model has ${target.classes} classes`,
    );
  }
}

const query = ({ model }: PlanSubject): string => (model !== undefined && isUrl(model) ? new URL(model).search : "");

function responseNames(http: PlanSubject["http"]): readonly unknown[] | undefined {
  const response = http?.["response"] as { classNames?: unknown } | null | undefined;
  return Array.isArray(response?.classNames) ? response.classNames : undefined;
}

const bytesOf = (data: Float32Array | Int32Array): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function fingerprintOf(data: Dataset): string {
  const parts: (string | Uint8Array)[] = [
    data.features.dims.join("x"),
    bytesOf(data.features.data),
    data.rowIds.join("\n"),
  ];
  if (data.labels !== null) parts.push(bytesOf(data.labels));
  parts.push(canonicalJson(data.groups));
  return `sha256:${sha256(...parts)}`;
}
