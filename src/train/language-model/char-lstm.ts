import { int } from "../../ir/index.ts";
import { float32 } from "../../tensor/index.ts";
import { glorot } from "../weights.ts";
import type { Emit, Workshop } from "./architectures.ts";

/** The names of one layer's weights: [I, 4H], [H, 4H] and [4H], gates in the order i, o, f, c of ONNX. */
interface Layer {
  readonly w: string;
  readonly r: string;
  readonly bias: string;
}

/**
 * A table of vectors, layers of LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000, whose bias
 * starts at 1: Jozefowicz et al. 2015), one linear layer. Every example starts from the state 0.
 */
export const charLstm: Emit = ({ b, weights, spec, steps }, tokens) => {
  const { width, layers, embedding, vocabulary } = spec;
  const table = weights.add("embedding", [vocabulary.size, embedding], { normal: 1 });
  let x = b.op("Gather", [table, tokens], {}, "embedded");
  if (steps === null) x = b.transpose(x, [1, 0, 2]);
  const start = steps === null ? "" : zeroState(b, tokens, width);
  for (let l = 1; l <= layers; l++) {
    const from = l === 1 ? embedding : width;
    const layer: Layer = {
      w: weights.add(`lstm${l}.input`, [from, 4 * width], glorot(from, width)),
      r: weights.add(`lstm${l}.state`, [width, 4 * width], { uniform: 1 / Math.sqrt(width) }),
      bias: weights.put(`lstm${l}.bias`, forgetBias(width)),
    };
    x = steps === null ? operator({ b, width }, x, layer) : unrolled({ b, width, steps }, x, start, layer);
  }
  const hidden = steps === null ? b.transpose(x, [1, 0, 2]) : x;
  const out = weights.add("output.weight", [width, vocabulary.size], glorot(width, vocabulary.size));
  const scores = b.matmul(hidden, out);
  return { hidden, logits: b.op("Add", [scores, weights.bias("output.bias", vocabulary.size)], {}, "logits") };
};

const forgetBias = (width: number) =>
  float32(
    [4 * width],
    Float32Array.from({ length: 4 * width }, (_, i) => (i >= 2 * width && i < 3 * width ? 1 : 0)),
  );

/** The operator of ONNX over x [T, N, I]; its output is [T, N, H]. */
function operator({ b, width }: Pick<Workshop, "b"> & { width: number }, x: string, { w, r, bias }: Layer): string {
  const turned = (weight: string): string => b.unsqueeze(b.transpose(weight, [1, 0]), [0]);
  // ONNX has a bias for the input and one for the state; they are only ever added.
  const none = b.constant(float32([4 * width]), "none");
  const both = b.unsqueeze(b.op("Concat", [bias, none], { axis: int(0) }), [0]);
  const y = b.op("LSTM", [x, turned(w), turned(r), both], { hidden_size: int(width) }, "lstm");
  return b.squeeze(y, [1]);
}

/** Zeros [N, 1, H]. The first step multiplies them too, so that all steps together are one product in the gradient. */
function zeroState(b: Workshop["b"], tokens: string, width: number): string {
  const first = b.op("Slice", [tokens, b.indices([0]), b.indices([1]), b.indices([1])]);
  const one = b.unsqueeze(b.op("Cast", [first], { to: int(1) }), [2]);
  return b.mul(one, b.constant(float32([width]), "zeros"));
}

/** The same for x [N, T, I], step by step, so that it has a gradient; its output is [N, T, H]. */
function unrolled(
  { b, width, steps }: Pick<Workshop, "b"> & { width: number; steps: number },
  x: string,
  start: string,
  { w, r, bias }: Layer,
): string {
  const sizes = (n: number, each: number): string => b.indices(Array.from({ length: n }, () => each));
  const input = b.add(b.matmul(x, w), bias);
  const inputs = steps === 1 ? [input] : b.opN("Split", [input, sizes(steps, 1)], steps, { axis: int(1) });
  const states: string[] = [];
  let cell: string | null = null;
  for (const own of inputs) {
    const z = b.add(own, b.matmul(states.at(-1) ?? start, r));
    const [gates, fresh] = b.opN("Split", [z, b.indices([3 * width, width])], 2, { axis: int(2) }) as [string, string];
    const [i, o, f] = b.opN("Split", [b.op("Sigmoid", [gates]), sizes(3, width)], 3, { axis: int(2) }) as [
      string,
      string,
      string,
    ];
    const news = b.mul(i, b.op("Tanh", [fresh]));
    cell = cell === null ? news : b.add(b.mul(f, cell), news);
    states.push(b.mul(o, b.op("Tanh", [cell])));
  }
  return states.length === 1 ? states[0]! : b.op("Concat", states, { axis: int(1) });
}
