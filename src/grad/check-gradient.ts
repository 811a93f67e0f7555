import { MarauderError } from "../errors.ts";
import { tensorInfo } from "../ir/builder.ts";
import type { Model } from "../ir/graph.ts";
import { sizeOf, tensor, type Tensor } from "../tensor/index.ts";
import { grad } from "./walk.ts";

/** What is needed of an engine. */
interface Runs {
  load(model: Model): Promise<{
    run(feeds: Readonly<Record<string, Tensor>>, fetches?: readonly string[]): Promise<Record<string, Tensor>>;
    close(): Promise<void>;
  }>;
}

export interface CheckGradientOptions {
  /** Best the float64 reference: float32 engines carry rounding of 1e-3 and more into the differences. */
  readonly engine: Runs;
  /** The point: a value for every input of the model. */
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly of: string | readonly string[];
  /** Inputs and constants. */
  readonly wrt: readonly string[];
  readonly rng: { fillNormal(out: Float64Array): void };
  /** Pairs (u, v) to try. */
  readonly directions?: number;
  /** Length of a step along v; no kink may lie within twice of it. */
  readonly step?: number;
}

export interface GradientCheck {
  /** The largest |⟨u, J v⟩ - ⟨Jᵀ u, v⟩| relative to the sum of the absolute terms of either product. */
  readonly relativeError: number;
  /** The largest sum of absolute terms: 0 says that nothing flows at all. */
  readonly magnitude: number;
  /** Nodes whose gradient is an estimate (quantizers): differences of a step function say nothing about these. */
  readonly estimated: readonly { readonly op: string; readonly node: string }[];
}

/**
 * The dot-product test: for random u and v, ⟨u, J v⟩ by differences of fourth order (five-point stencil) against ⟨Jᵀ u, v⟩ from
 * the gradient graph. Four forward runs and one gradient run for each direction, whatever the sizes.
 */
export async function checkGradient(model: Model, options: CheckGradientOptions): Promise<GradientCheck> {
  const { engine, feeds, wrt, rng, directions = 1, step = 1e-3 } = options;
  const of = typeof options.of === "string" ? [options.of] : [...options.of];
  const gradient = grad(model, { of, wrt, seeds: "inputs" });
  const backward = await engine.load(gradient.model);
  const forward = await engine.load(withOutputs(model, of, wrt));
  const point = new Map(wrt.map((name) => [name, pointOf(model, feeds, name)]));
  let relativeError = 0;
  let magnitude = 0;
  try {
    const at = await forward.run(feeds, of);
    const wide = of.some((name) => at[name]!.dtype === "float64");
    for (let i = 0; i < directions; i++) {
      const u = new Map(of.map((name) => [name, normal(rng, at[name]!)]));
      const v = new Map(wrt.map((name) => [name, normal(rng, point.get(name)!)]));
      const shifted = async (t: number): Promise<Record<string, Tensor>> => {
        const moved = wrt.map((name) => [name, along(point.get(name)!, v.get(name)!, t, wide)] as const);
        return forward.run({ ...feeds, ...Object.fromEntries(moved) }, of);
      };
      const [near, back, far, farBack] = [
        await shifted(step),
        await shifted(-step),
        await shifted(2 * step),
        await shifted(-2 * step),
      ];
      const forwardTerms = of.flatMap((name) =>
        Array.from(u.get(name)!.data as Float64Array, (w, k) => {
          const value = (r: Record<string, Tensor>): number => Number(r[name]!.data[k]);
          return (w * (8 * (value(near) - value(back)) - (value(far) - value(farBack)))) / (12 * step);
        }),
      );
      const seeds = Object.fromEntries(
        of.map((name) => [gradient.seeds.get(name)!, likeType(u.get(name)!, at[name]!)]),
      );
      const back2 = await backward.run({ ...feeds, ...seeds }, [...gradient.gradients.values()]);
      const backwardTerms = wrt.flatMap((name) =>
        Array.from(
          back2[gradient.gradients.get(name)!]!.data as Float64Array,
          (g, k) => g * Number(v.get(name)!.data[k]),
        ),
      );
      const size = Math.max(absolute(forwardTerms), absolute(backwardTerms));
      const error = Math.abs(total(forwardTerms) - total(backwardTerms));
      magnitude = Math.max(magnitude, size);
      relativeError = Math.max(relativeError, size === 0 ? 0 : Number.isFinite(error) ? error / size : Infinity);
    }
  } finally {
    await forward.close();
    await backward.close();
  }
  return { relativeError, magnitude, estimated: gradient.estimated };
}

const total = (terms: readonly number[]): number => terms.reduce((a, b) => a + b, 0);
const absolute = (terms: readonly number[]): number => terms.reduce((a, b) => a + Math.abs(b), 0);

function pointOf(model: Model, feeds: Readonly<Record<string, Tensor>>, name: string): Tensor {
  const at = feeds[name] ?? model.graph.constants.get(name);
  if (at === undefined || (at.dtype !== "float32" && at.dtype !== "float64")) {
    throw new MarauderError(
      "MODEL_INPUT",
      `cannot check the gradient by ${JSON.stringify(name)}; expected an input or constant of float32 or float64`,
    );
  }
  return at;
}

function normal(rng: CheckGradientOptions["rng"], like: Tensor): Tensor<"float64"> {
  const data = new Float64Array(sizeOf(like.dims));
  rng.fillNormal(data);
  // In float32 both sides must see the same direction.
  return tensor("float64", like.dims, data.map(Math.fround));
}

/** x + t·v, in float64 where the engine computes so (its outputs tell), else in the type of x. */
function along(x: Tensor, v: Tensor, t: number, wide: boolean): Tensor {
  const data = Float64Array.from(x.data as Float64Array, (value, k) => value + t * Number(v.data[k]));
  return wide || x.dtype === "float64"
    ? tensor("float64", x.dims, data)
    : tensor("float32", x.dims, Float32Array.from(data));
}

function likeType(x: Tensor<"float64">, like: Tensor): Tensor {
  return like.dtype === "float32" ? tensor("float32", x.dims, Float32Array.from(x.data)) : x;
}

/** The model with the wanted outputs, and with differentiated constants as inputs that have a default. */
function withOutputs(model: Model, of: readonly string[], wrt: readonly string[]): Model {
  const { graph } = model;
  const given = new Set(graph.inputs.map((v) => v.name));
  const added = wrt
    .filter((name) => !given.has(name))
    .map((name) => {
      const constant = graph.constants.get(name)!;
      return tensorInfo(name, constant.dtype, constant.dims);
    });
  const outputs = of.map((name) => graph.outputs.find((v) => v.name === name) ?? tensorInfo(name, null, null));
  return { ...model, graph: { ...graph, inputs: [...graph.inputs, ...added], outputs } };
}
