import type { Dataset } from "../data/dataset.ts";
import { MarauderError } from "../errors.ts";
import type { Dim } from "../ir/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Trainable } from "./architectures.ts";
import { unpack } from "./parameters.ts";
import { frozenOf, type Programs } from "./programs.ts";
import type { TrainedModel } from "./trainer.ts";

/** Rows of one forward run: enough to fill the cores, little enough that activations stay near the cache. */
const ROWS = 256;

/** True where an example's shape is the one that a model declares; null and symbols stand for any size. */
export const fits = (example: readonly number[], declared: readonly Dim[]): boolean =>
  example.length === declared.length && declared.every((d, i) => typeof d !== "number" || d === example[i]);

/** Wraps trained parameters. It asks the shared forward graph, so that a model costs no session of its own. */
export function trainedModel(
  trainable: Trainable,
  programs: Programs,
  parameters: Float32Array,
  classes: number,
): TrainedModel {
  const model = unpack(trainable.exported ?? trainable.model, programs.layout, parameters);
  const frozen = frozenOf(trainable);
  const shape = trainable.model.graph.inputs[0]!.dims!.slice(1);
  let open = true;

  const run = async (data: Dataset, what: "logits" | "features"): Promise<{ values: Float32Array; width: number }> => {
    if (!open) throw new MarauderError("INTERNAL", "internal: a closed model was asked for its answers");
    const { dims, data: all } = data.features;
    if (!fits(dims.slice(1), shape)) {
      throw new MarauderError(
        "SHAPE_MISMATCH",
        `data set ${JSON.stringify(data.name)} does not fit the model; expected rows of shape [${shape.join(", ")}], ` +
          `got [${dims.slice(1).join(", ")}]`,
      );
    }
    const n = dims[0] ?? 0;
    const each = n === 0 ? 0 : all.length / n;
    let values: Float32Array | null = null;
    let width = 0;
    for (let from = 0; from < n; from += ROWS) {
      const to = Math.min(n, from + ROWS);
      const x: Tensor<"float32"> = {
        dtype: "float32",
        dims: [to - from, ...dims.slice(1)],
        data: all.subarray(from * each, to * each),
      };
      const out = await programs.forward(parameters, frozen, x, what);
      width = out.data.length / (to - from);
      values ??= new Float32Array(n * width);
      values.set(out.data, from * width);
    }
    return { values: values ?? new Float32Array(0), width };
  };

  return Object.freeze({
    model,
    classes,
    logits: async (data: Dataset) => (await run(data, "logits")).values,
    features: (data: Dataset) => run(data, "features"),
    close: async () => {
      open = false;
    },
  });
}
