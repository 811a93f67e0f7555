import type { Engine, Session } from "../../engine/engine.ts";
import { MarauderError } from "../../errors.ts";
import type { Tensor } from "../../tensor/index.ts";
import { tensor } from "../../tensor/index.ts";
import type { Trainable } from "../architectures.ts";
import { losses } from "../losses.ts";
import { feedsOf, layoutOf, type Layout } from "../parameters.ts";
import { perExample } from "./per-example.ts";
import type { Frozen } from "../programs.ts";
import { addUp, cutOf, inLanes, joined, partsOf, rowsOf } from "../parts.ts";
import { placesBy } from "../run-into.ts";
import { attachLoss, finished, inputOf, names, type UpdateProgram } from "../step.ts";
import type { LossId } from "../trainer.ts";

const CLIP = "train.clip";

export interface ClippedGradient {
  /** Sum over examples of min(1, clip / |g_n|) g_n, in the order of the layout. Nothing is divided, no noise is added. */
  readonly sum: Float32Array;
  /** |g_n| before clipping; not finite where the gradient is not, and such an example adds nothing. */
  readonly norms: Float32Array;
  /** One for each row. */
  readonly losses: Float32Array;
}

/** Clipped gradients of a model, compiled once. The caller adds noise once to the sum over a logical batch. */
export interface ClippedGradients {
  readonly layout: Layout;
  /**
   * Features [N, ...], targets as the loss takes them. An empty batch gives a zero sum. `place` is memory for the sum; left
   * out, it is fresh.
   */
  run(
    parameters: Float32Array,
    frozen: Frozen,
    features: Tensor,
    targets: Tensor,
    clip: number,
    place?: Float32Array,
  ): Promise<ClippedGradient>;
  close(): Promise<void>;
}

/** Inputs: input, parameters, frozen constants, targets, clip [1]. Outputs: norms [N], losses [N]; one vector: the sum. */
export function clippedProgram(
  trainable: Trainable,
  layout: Layout,
  loss: LossId,
  copies = 1,
): UpdateProgram<"norms" | "losses"> {
  const { model, rows } = attachLoss(trainable, layout, losses[loss]);
  const made = perExample(model, rows, [inputOf(trainable), names.targets], layout, copies);
  const { b } = made;
  const clip = b.input(CLIP, "float32", [1]);
  const norms = b.op("Sqrt", [made.squaredNorms]);
  const c = b.op("Min", [b.scalar(1), b.div(clip, b.op("Max", [norms, b.scalar(1e-30)]))]);
  const sum = made.weightedSum(b.reshape(c, [-1]));
  const outputs = {
    norms: b.output(norms, "float32", [null]),
    losses: b.output(rows, "float32", [null]),
  };
  const vectors = [sum.map((value, k) => b.output(value, "float32", layout.slots[k]!.dims))];
  return { model: { ...made.model, graph: finished(b, trainable) }, layout, outputs, vectors };
}

export interface ClippedOptions {
  readonly loss?: LossId;
  readonly threads?: number;
  /** So many rows after one another are views of one example: their gradients are averaged before the clipping. */
  readonly copies?: number;
  /** Which batches go in parts side by side. */
  readonly cut?: typeof cutOf;
}

/** Throws MODEL_UNSUPPORTED, naming the node, where examples cannot be bounded one by one. */
export async function openClipped(
  engine: Engine,
  trainable: Trainable,
  options: ClippedOptions = {},
): Promise<ClippedGradients> {
  const layout = layoutOf(trainable.model, trainable.parameters);
  const { loss = "cross-entropy", copies = 1 } = options;
  const { model, outputs, vectors } = clippedProgram(trainable, layout, loss, copies);
  const threads = options.threads === undefined ? {} : { threads: options.threads };
  const sessions = new Map<boolean, Session>();
  const freshPlaces = placesBy(model, Object.values(outputs));
  const open = async (lanes: boolean): Promise<{ session: Session; freshPlaces: typeof freshPlaces }> => {
    const session = sessions.get(lanes) ?? (await engine.load(model, { ...threads, lanes, places: true }));
    sessions.set(lanes, session);
    return { session, freshPlaces };
  };
  const cut = options.threads === 1 ? null : (options.cut ?? cutOf)(trainable, layout, loss);
  const input = inputOf(trainable);

  const once = async (
    parameters: Float32Array,
    frozen: Frozen,
    features: Tensor,
    targets: Tensor,
    clip: number,
    sum: Float32Array,
  ): Promise<ClippedGradient> => {
    const fixed = {
      ...frozen,
      ...feedsOf(layout, parameters),
      [CLIP]: tensor("float32", [1], Float32Array.of(clip)),
    };
    const rows = { [input]: features, [names.targets]: targets };
    const n = features.dims[0]!;
    const split = await inLanes(cut, n, () => open(true), copies);
    const program = split === null ? await open(false) : split.program;
    const feeds = (split?.parts ?? partsOf(n, 1)).map((part) => ({ ...fixed, ...rowsOf(rows, part) }));
    const answers = await addUp(program, feeds, vectors[0]!, layout, sum);
    return { sum, norms: joined(answers, outputs.norms), losses: joined(answers, outputs.losses) };
  };
  return {
    layout,
    async run(parameters, frozen, features, targets, clip, place) {
      if (!(clip > 0 && clip < Infinity)) {
        throw new MarauderError("OPTION_RANGE", `the clipping norm must be a finite number above 0, got ${clip}`);
      }
      const n = (features.dims[0] ?? 0) / copies;
      const memory = place ?? new Float32Array(layout.size);
      const none = (): ClippedGradient => ({
        sum: memory.fill(0),
        norms: new Float32Array(n),
        losses: new Float32Array(n * copies),
      });
      if (n === 0) return none();
      const made = await once(parameters, frozen, features, targets, clip, memory);
      const good = Array.from({ length: n }, (_, i) => i).filter((i) => Number.isFinite(made.norms[i]));
      if (good.length === n) return made;
      // A weight of 0 does not silence a NaN: such examples are taken out, and the others run again.
      if (good.length === 0) return { ...made, sum: none().sum };
      const rows = good.flatMap((i) => Array.from({ length: copies }, (_, k) => i * copies + k));
      const { sum } = await once(parameters, frozen, picked(features, rows), picked(targets, rows), clip, memory);
      return { ...made, sum };
    },
    async close() {
      for (const session of sessions.values()) await session.close();
    },
  };
}

function picked(value: Tensor, rows: readonly number[]): Tensor {
  const width = value.data.length / value.dims[0]!;
  const data = value.data as Float32Array;
  const out = new (data.constructor as new (length: number) => Float32Array)(rows.length * width);
  rows.forEach((row, k) => out.set(data.subarray(row * width, (row + 1) * width), k * width));
  return tensor(value.dtype, [rows.length, ...value.dims.slice(1)], out as never);
}

/**
 * The twin of the static check, by measurement: exchanges each example of a batch in turn and compares the losses and
 * norms of all others bit for bit. Returns the pairs [changed, moved]; empty where no example saw another.
 */
export async function probeMixing(
  clipped: ClippedGradients,
  parameters: Float32Array,
  frozen: Frozen,
  features: Tensor<"float32">,
  targets: Tensor,
): Promise<[changed: number, moved: number][]> {
  const n = features.dims[0]!;
  const width = features.data.length / n;
  const run = (x: Tensor): Promise<ClippedGradient> => clipped.run(parameters, frozen, x, targets, 1);
  const before = await run(features);
  const found: [number, number][] = [];
  for (let j = 0; j < n; j++) {
    const data = features.data.slice();
    for (let i = j * width; i < (j + 1) * width; i++) data[i] = 3 * data[i]! + 1;
    const after = await run(tensor("float32", features.dims, data));
    for (let i = 0; i < n; i++) {
      if (i !== j && !(Object.is(before.losses[i], after.losses[i]) && Object.is(before.norms[i], after.norms[i]))) {
        found.push([j, i]);
      }
    }
  }
  return found;
}
