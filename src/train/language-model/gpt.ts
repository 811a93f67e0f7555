import { int, type GraphBuilder } from "../../ir/index.ts";
import { float32 } from "../../tensor/index.ts";
import type { Emit, Workshop } from "./architectures.ts";

/** Deviation of the initial weights; of those that write into the residual stream it is divided by the root of their number. */
const SPREAD = 0.02;
/** A score that a softmax in float32 turns into 0. */
const NEVER = -1e9;

/**
 * A decoder-only transformer: table of tokens plus learned positions, layers of causal attention and a perceptron with
 * Gelu, each behind a LayerNormalization and added to its input (Radford et al. 2019, section 2.3), a last
 * LayerNormalization and a linear head, which may share the table.
 */
export const gpt: Emit = (workshop, tokens) => {
  const { b, weights, spec, steps } = workshop;
  const { width, layers, context, vocabulary } = spec;
  const table = weights.add("token", [vocabulary.size, width], { normal: SPREAD });
  const places = weights.add("position", [context, width], { normal: SPREAD });
  // Positions and mask are made for the whole context, and cut where the input is shorter.
  const length = steps === null ? b.op("Slice", [b.shapeOf(tokens), b.indices([1]), b.indices([2])]) : null;
  const cut = (value: string, axes: readonly number[]): string => {
    if (length === null) return value;
    const ends = axes.length === 1 ? length : b.op("Concat", [length, length], { axis: int(0) });
    return b.op("Slice", [value, b.indices(axes.map(() => 0)), ends, b.indices(axes)]);
  };
  let x = b.add(b.op("Gather", [table, tokens]), cut(places, [0]));
  const mask = cut(causal(b, context), [0, 1]);
  const output = SPREAD / Math.sqrt(2 * layers);
  for (let l = 1; l <= layers; l++) {
    const name = `block${l}`;
    x = b.add(x, attention(workshop, normalized(workshop, x, `${name}.norm1`), mask, name, output));
    const inner = linear(workshop, normalized(workshop, x, `${name}.norm2`), `${name}.up`, width, 4 * width, SPREAD);
    x = b.add(x, linear(workshop, b.op("Gelu", [inner]), `${name}.down`, 4 * width, width, output));
  }
  const hidden = normalized(workshop, x, "norm");
  const head = spec.tied
    ? b.transpose(table, [1, 0])
    : weights.add("head", [width, vocabulary.size], { normal: SPREAD });
  return { hidden, logits: b.op("MatMul", [hidden, head], {}, "logits") };
};

function causal(b: GraphBuilder, n: number): string {
  const later = Float32Array.from({ length: n * n }, (_, i) => (i % n > Math.floor(i / n) ? NEVER : 0));
  return b.constant(float32([n, n], later), "causal");
}

function normalized({ b, weights, spec }: Workshop, x: string, name: string): string {
  const scale = weights.add(`${name}.scale`, [spec.width], { all: 1 });
  return b.op("LayerNormalization", [x, scale, weights.bias(`${name}.bias`, spec.width)], { axis: int(-1) });
}

function linear({ b, weights }: Workshop, x: string, name: string, from: number, to: number, normal: number): string {
  const weight = weights.add(`${name}.weight`, [from, to], { normal });
  return b.add(b.matmul(x, weight), weights.bias(`${name}.bias`, to));
}

/** Softmax(q kᵀ/√d + mask) v for each head, then a linear layer; x [N, T, width]. */
function attention(workshop: Workshop, x: string, mask: string, name: string, output: number): string {
  const { b, spec, steps } = workshop;
  const { width, heads } = spec;
  const each = width / heads;
  const all = linear(workshop, x, `${name}.attend`, width, 3 * width, SPREAD);
  const parts = b.opN("Split", [all, b.indices([width, width, width])], 3, { axis: int(2) });
  const [q, k, v] = parts.map((part, i) =>
    b.transpose(b.reshape(part, [0, steps ?? 0, heads, each]), i === 1 ? [0, 2, 3, 1] : [0, 2, 1, 3]),
  ) as [string, string, string];
  const scores = b.add(b.mul(b.matmul(q, k), b.scalar(1 / Math.sqrt(each))), mask);
  const mixed = b.transpose(b.matmul(b.op("Softmax", [scores], { axis: int(-1) }), v), [0, 2, 1, 3]);
  return linear(workshop, b.reshape(mixed, [0, steps ?? 0, width]), `${name}.mix`, width, width, output);
}
