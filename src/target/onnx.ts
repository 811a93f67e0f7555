import type { Engine, Session } from "../engine/engine.ts";
import { MarauderError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { sigmoidToTwo } from "../rewrite/sigmoid-to-two.ts";
import type { Tensor } from "../tensor/index.ts";
import { rowsOf, runBatches } from "./batch-runner.ts";
import type { Column } from "./batch-runner.ts";
import { gradientModel, gradientModelFor, MOST_TWICE } from "./gradient-model.ts";
import type { GradientModel } from "./gradient-model.ts";
import { prepareModel } from "./prepare-model.ts";
import type { BatchForm, ModelFacts, PrepareOptions } from "./prepare-model.ts";
import { argmaxRows, checkLabels, logOfProbabilities } from "./scores.ts";
import { sizesOf, type Sizes } from "./sizes.ts";
import type { Bounds, Capability, GradientAnswer, LossSpec, Target } from "./target.ts";
import { verifyPrepared } from "./verify-prepared.ts";

export interface OnnxTargetOptions extends PrepareOptions {
  readonly engine: Engine;
  /** The legal range of raw inputs, before `mean` and `sd`. */
  readonly bounds: Bounds;
  readonly id?: string;
  readonly threads?: number;
  /** Most examples in one run; by default 16 to 1024, by the size of the model's values. */
  readonly batch?: number;
}

export interface OnnxTarget extends Target {
  /** Why the target has no gradient; null where it has one. */
  readonly noGradientReason: string | null;
  readonly classNames: readonly string[] | null;
  readonly scoresAre: "logits" | "log-probabilities";
  /** What was cut, chosen and assumed. */
  readonly facts: ModelFacts & { readonly cut: readonly string[]; readonly batch: BatchForm; readonly chunk: number };
  /** The graph behind `scores`: raw float32 input to scores. For certificates and other white-box work. */
  readonly graph: { readonly model: Model; readonly input: string; readonly scores: string };
  /** How many gradient entries were not finite and were set to zero. */
  readonly nonFiniteGradients: () => number;
}

/**
 * Opens a classifier from an ONNX model. Scores are logits where the model has them (a final Softmax or Sigmoid is cut),
 * else log probabilities. Throws MODEL_INPUT, MODEL_UNSUPPORTED, OPTION_RANGE, ENGINE_FAILED.
 */
export async function openOnnxTarget(file: Model, options: OnnxTargetOptions): Promise<OnnxTarget> {
  const { engine, bounds } = options;
  if (!(Number.isFinite(bounds.low) && Number.isFinite(bounds.high) && bounds.low < bounds.high)) {
    throw new MarauderError(
      "OPTION_RANGE",
      `bounds must be two numbers, low below high, got ${bounds.low} and ${bounds.high}`,
    );
  }
  const threads = options.threads === undefined ? {} : { threads: options.threads };
  const prepared = prepareModel(file, options);
  const verified = await verifyPrepared(prepared, engine, bounds, threads);
  const { inputShape, input } = prepared;
  let model = verified.batch === prepared.batch ? prepared.model : prepared.unopened;
  let scoresName = prepared.scores;
  let classes = verified.width;
  if (classes === 1) {
    if (prepared.kind !== "sigmoid-logits") throw oneNumber();
    const two = sigmoidToTwo(model.graph, scoresName);
    scoresName = two.scores;
    classes = 2;
    const info = { name: scoresName, dtype: "float32", dims: null, kind: "tensor" } as const;
    model = { ...model, graph: { ...two.graph, outputs: [info] } };
  }
  const probabilities = prepared.kind === "probabilities" || (prepared.kind === "logits" && verified.probabilities);
  const size = sizesOf(model, input);
  const lanes = options.threads !== 1 && size.weights <= MOST_TWICE && MOST_ROWS * size.work >= 10 * WORTH_A_LANE;
  const chunk = options.batch ?? chunkFor(size, lanes);
  const request = (kind: LossSpec["kind"], targeted: boolean) =>
    ({ input, scores: scoresName, classes, probabilities, loss: kind, targeted }) as const;

  let noGradientReason: string | null = null;
  try {
    gradientModel(model, { ...request("margin", false), plain: true });
  } catch (error) {
    if (!(error instanceof MarauderError)) throw error;
    noGradientReason = error.message;
  }
  const can: ReadonlySet<Capability> = new Set(
    noGradientReason === null ? (["label", "scores", "gradient", "weights"] as const) : (["label", "scores"] as const),
  );

  const meter = { queries: 0, gradients: 0 };
  const graphs = new Map<string, GradientModel>();
  /** Graphs for whole chunks; null where there is no better one. */
  const wholes = new Map<string, Model | null>();
  const sessions = new Map<string, Promise<Session>>();
  let closed = false;
  let nonFinite = 0;
  const sessionOf = (key: string, whole: Model): Promise<Session> => {
    if (closed) throw new MarauderError("INTERNAL", "internal: a target was used after it was closed");
    return once(sessions, key, () => {
      const loading = engine.load(whole, { ...threads, lanes });
      loading.catch(() => sessions.delete(key));
      return loading;
    });
  };
  const runner = { input, inputShape, batch: verified.batch, chunk, least: Math.ceil(WORTH_A_LANE / size.work) };

  async function scores(x: Tensor<"float32">): Promise<Float32Array> {
    const session = await sessionOf("scores", model);
    const n = rowsOf(x, inputShape);
    meter.queries += n;
    const raw = (await runBatches({ ...runner, session }, x, [scoresName])).get(scoresName)!;
    return checked(probabilities ? logOfProbabilities(raw) : raw, classes);
  }

  async function gradient(x: Tensor<"float32">, labels: Int32Array, loss: LossSpec): Promise<GradientAnswer> {
    if (noGradientReason !== null) {
      throw new MarauderError(
        "CAPABILITY_MISSING",
        `the model offers no gradient: ${noGradientReason}; take an attack that needs scores or labels only`,
      );
    }
    const n = rowsOf(x, inputShape);
    checkLabels(labels, n, classes);
    if (loss.targets !== undefined) checkLabels(loss.targets, n, classes, "target");
    const targeted = loss.targets !== undefined;
    const key = `${loss.kind}${targeted ? " targeted" : ""}`;
    const names = once(graphs, key, () => gradientModel(model, request(loss.kind, targeted)));
    const inWholes =
      n >= (lanes ? 2 * chunk : chunk) && verified.batch.form === "any" && engine.channelBlock !== undefined;
    const better = inWholes ? once(wholes, key, () => gradientModelFor(names, chunk, engine.channelBlock!)) : null;
    const whole = better === null ? undefined : await sessionOf(`${key} whole`, better);
    const session = whole !== undefined && n % (chunk * whole.lanes) === 0 ? whole : await sessionOf(key, names.model);
    meter.queries += n;
    meter.gradients += n;
    const columns: Column[] = [];
    if (names.labels !== null) columns.push([names.labels, labels]);
    if (names.targets !== null) columns.push([names.targets, loss.targets!]);
    const each = { [names.loss]: [], [names.scores]: [classes], [names.gradient]: inputShape };
    const shapes = verified.batch.form === "none" ? {} : each;
    const out = await runBatches(
      { ...runner, session, whole, shapes },
      x,
      [names.loss, names.scores, names.gradient],
      columns,
    );
    const slope = out.get(names.gradient)!;
    nonFinite += zeroNonFinite(slope);
    return { loss: out.get(names.loss)!, scores: checked(out.get(names.scores)!, classes), gradient: slope };
  }

  return Object.freeze({
    id: options.id ?? (file.graph.name || "model"),
    can,
    inputShape,
    classes,
    bounds: Object.freeze({ ...bounds }),
    meter,
    scores,
    label: async (x) => argmaxRows(await scores(x), classes),
    gradient,
    async close() {
      closed = true;
      const open = await Promise.allSettled(sessions.values());
      sessions.clear();
      for (const one of open) if (one.status === "fulfilled") await one.value.close();
    },
    noGradientReason,
    classNames: prepared.classNames?.length === classes ? prepared.classNames : null,
    scoresAre: probabilities || prepared.kind === "log-probabilities" ? "log-probabilities" : "logits",
    facts: Object.freeze({
      ...prepared.facts,
      batchRefused: prepared.facts.batchRefused ?? verified.batchRefused,
      cut: prepared.cut,
      batch: verified.batch,
      chunk,
    }),
    graph: Object.freeze({ model, input, scores: scoresName }),
    nonFiniteGradients: () => nonFinite,
  } satisfies OnnxTarget);
}

/** The value under a key, made when it is first asked for. */
function once<V>(known: Map<string, V>, key: string, make: () => V): V {
  if (!known.has(key)) known.set(key, make());
  return known.get(key)!;
}

function oneNumber(): MarauderError {
  return new MarauderError(
    "MODEL_INPUT",
    "the model's output is one number for each example and no Sigmoid makes it, so it looks like a regression; " +
      "expected scores of at least 2 classes, or a Sigmoid at the end; choose another output with --output NAME",
  );
}

/** Sets entries that are not finite to zero; answers how many they were. */
function zeroNonFinite(values: Float32Array): number {
  if (allFinite(values)) return 0;
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i]!)) continue;
    values[i] = 0;
    count++;
  }
  return count;
}

/** v - v is 0 for a finite v and NaN for any other; four sums at once, since each addition waits for the one before. */
function allFinite(values: Float32Array): boolean {
  const whole = values.length & ~3;
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < whole; i += 4) {
    a += values[i]! - values[i]!;
    b += values[i + 1]! - values[i + 1]!;
    c += values[i + 2]! - values[i + 2]!;
    d += values[i + 3]! - values[i + 3]!;
  }
  for (let i = whole; i < values.length; i++) a += values[i]! - values[i]!;
  return a + b + c + d === 0;
}

function checked(scores: Float32Array, classes: number): Float32Array {
  const bad = allFinite(scores) ? -1 : scores.findIndex((v) => Number.isNaN(v));
  if (bad < 0) return scores;
  throw new MarauderError(
    "ENGINE_FAILED",
    `the model answers NaN for class ${bad % classes} of example ${Math.floor(bad / classes)}; ` +
      "expected numbers; check the inputs, --bounds, --mean and --sd",
  );
}

/** Multiplications of a forward pass below which a message to another thread costs more than it saves, some 0.2 ms. */
const WORTH_A_LANE = 2e6;
const MOST_ROWS = 1024;

/**
 * Values of one run stay near the processor's caches: about 64 MB of them, in lanes half of that, or twice the weights, which
 * every run reads. Fewer at once leave a second thread too little to do in each operator, more cost memory and caches
 * (bench/results/gradient-forms.md).
 */
function chunkFor({ values, weights }: Sizes, lanes: boolean): number {
  const most = Math.max((lanes ? 32 : 64) * 2 ** 20, 2 * weights) / values;
  const power = 2 ** Math.floor(Math.log2(most));
  // 3 · 2^k as well from 12 on: the kernels of matrix products take six rows at once, and 8 cost them as much as 12.
  return Math.max(1, Math.min(MOST_ROWS, power >= 8 && 1.5 * power <= most ? 1.5 * power : power));
}
