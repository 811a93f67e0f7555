import type { GraphBuilder } from "../ir/index.ts";
import type { Rng } from "../random/rng.ts";
import { float32, sizeOf, tensor, type Tensor } from "../tensor/index.ts";

/** How a weight is drawn: uniform on ±u, normal with a deviation, or the same number everywhere. */
export type Draw = { readonly uniform: number } | { readonly normal: number } | { readonly all: number };

/** Glorot & Bengio 2010, equation 16. */
export const glorot = (fanIn: number, fanOut: number): Draw => ({ uniform: Math.sqrt(6 / (fanIn + fanOut)) });
/** He et al. 2015, equation 10, with the gain of what follows: 2 before a ReLU. */
export const he = (fanIn: number, gain: number): Draw => ({ normal: Math.sqrt(gain / fanIn) });

/**
 * The parameters of a graph in the making. They are kept apart from the builder, which shares equal constants: two zero
 * biases must stay two parameters. Each is drawn from its own child of `rng`.
 */
export class Weights {
  readonly constants = new Map<string, Tensor<"float32">>();
  private readonly b: GraphBuilder;
  private readonly rng: Rng;

  constructor(b: GraphBuilder, rng: Rng) {
    this.b = b;
    this.rng = rng;
  }

  /** Adds a parameter and returns its name. */
  add(name: string, dims: readonly number[], draw: Draw): string {
    const data = new Float32Array(sizeOf(dims));
    const stream = this.rng.child(name);
    if ("all" in draw) data.fill(draw.all);
    else if ("normal" in draw) stream.fillNormal(data, 0, draw.normal);
    else stream.fillUniform(data, -draw.uniform, draw.uniform);
    return this.put(name, tensor("float32", dims, data));
  }

  put(name: string, value: Tensor<"float32">): string {
    this.constants.set(this.b.fresh(name), value);
    return name;
  }

  bias(name: string, size: number): string {
    return this.put(name, float32([size]));
  }
}
