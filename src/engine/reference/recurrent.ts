import { getFloat, getFloats, getInt, getString } from "../../ir/attributes.ts";
import type { Node } from "../../ir/graph.ts";
import { fail, floatsOf, fromNumbers, intsOf, need, type Kernel, type Value } from "./value.ts";

type Unary = (x: number) => number;

const sigmoid: Unary = (x) => 1 / (1 + Math.exp(-x));

/** The activations named in the node, with their parameters; the defaults are those of the operators of that name. */
function functionsOf(node: Node, defaults: readonly string[], ways: number): Unary[] {
  const given = node.attributes["activations"];
  const names =
    given?.type === "strings" && given.value.length > 0
      ? given.value.map((v) => new TextDecoder().decode(v))
      : Array.from({ length: ways }, () => defaults).flat();
  let [nextAlpha, nextBeta] = [0, 0];
  const alphas = getFloats(node, "activation_alpha") ?? [];
  const betas = getFloats(node, "activation_beta") ?? [];
  const alpha = (otherwise: number): number => alphas[nextAlpha++] ?? otherwise;
  const beta = (otherwise: number): number => betas[nextBeta++] ?? otherwise;
  return names.map((name): Unary => {
    switch (name.toLowerCase()) {
      case "sigmoid":
        return sigmoid;
      case "tanh":
        return Math.tanh;
      case "relu":
        return (x) => Math.max(0, x);
      case "softsign":
        return (x) => x / (1 + Math.abs(x));
      case "softplus":
        return (x) => Math.log1p(Math.exp(x));
      case "affine": {
        const [a, b] = [alpha(1), beta(0)];
        return (x) => a * x + b;
      }
      case "leakyrelu": {
        const a = alpha(0.01);
        return (x) => (x < 0 ? a * x : x);
      }
      case "thresholdedrelu": {
        const a = alpha(1);
        return (x) => (x > a ? x : 0);
      }
      case "scaledtanh": {
        const [a, b] = [alpha(1), beta(1)];
        return (x) => a * Math.tanh(b * x);
      }
      case "hardsigmoid": {
        const [a, b] = [alpha(0.2), beta(0.5)];
        return (x) => Math.min(1, Math.max(0, a * x + b));
      }
      case "elu": {
        const a = alpha(1);
        return (x) => (x < 0 ? a * Math.expm1(x) : x);
      }
      default:
        return fail(node, `activation ${name}`);
    }
  });
}

/** One step of one example: gate sums from the input `x` and the recurrent part of gate g, entry k, of a vector. */
interface Gates {
  readonly x: (gate: number, k: number) => number;
  readonly h: (gate: number, k: number, state: Float64Array) => number;
  readonly rb: (gate: number, k: number) => number;
  readonly p: (gate: number, k: number) => number;
}
type Cell = (
  node: Node,
  size: number,
  f: readonly Unary[],
  g: Gates,
  h: Float64Array,
  c: Float64Array,
) => { h: Float64Array; c: Float64Array };

function clipped(node: Node): Unary {
  const bound = getFloat(node, "clip", 0);
  return bound > 0 ? (x) => Math.min(bound, Math.max(-bound, x)) : (x) => x;
}

const rnn: Cell = (node, size, f, g, h, c) => {
  const cut = clipped(node);
  return { h: Float64Array.from({ length: size }, (_, k) => f[0]!(cut(g.x(0, k) + g.h(0, k, h) + g.rb(0, k)))), c };
};

const gru: Cell = (node, size, f, g, h, c) => {
  const cut = clipped(node);
  const gate = (i: number): Float64Array =>
    Float64Array.from({ length: size }, (_, k) => f[0]!(cut(g.x(i, k) + g.h(i, k, h) + g.rb(i, k))));
  const [z, r] = [gate(0), gate(1)];
  const reset = h.map((v, k) => r[k]! * v);
  const before = getInt(node, "linear_before_reset", 0) !== 0;
  const next = Float64Array.from({ length: size }, (_, k) => {
    const inner = before ? r[k]! * (g.h(2, k, h) + g.rb(2, k)) : g.h(2, k, reset) + g.rb(2, k);
    return (1 - z[k]!) * f[1]!(cut(g.x(2, k) + inner)) + z[k]! * h[k]!;
  });
  return { h: next, c };
};

const lstm: Cell = (node, size, f, g, h, c) => {
  const cut = clipped(node);
  const sum = (i: number, k: number): number => g.x(i, k) + g.h(i, k, h) + g.rb(i, k);
  const next = c.map((old, k) => {
    const input = f[0]!(cut(sum(0, k) + g.p(0, k) * old));
    const forget = getInt(node, "input_forget", 0) !== 0 ? 1 - input : f[0]!(cut(sum(2, k) + g.p(2, k) * old));
    return forget * old + input * f[1]!(cut(sum(3, k)));
  });
  const out = Float64Array.from({ length: size }, (_, k) => {
    return f[0]!(cut(sum(1, k) + g.p(1, k) * next[k]!)) * f[2]!(cut(next[k]!));
  });
  return { h: out, c: next };
};

/** By definition: every example, direction and step on its own. */
const recurrent =
  (gates: number, defaults: readonly string[], cell: Cell): Kernel =>
  (inputs, node) => {
    const [x, w, r] = [need(inputs, 0, node), need(inputs, 1, node), need(inputs, 2, node)];
    const batchFirst = getInt(node, "layout", 0) === 1;
    const [steps, batch] = batchFirst ? [x.dims[1]!, x.dims[0]!] : [x.dims[0]!, x.dims[1]!];
    const [ways, width, size] = [w.dims[0]!, w.dims[2]!, r.dims[2]!];
    const reversed = getString(node, "direction", "forward") === "reverse";
    const f = functionsOf(node, defaults, ways);
    const lengths = intsOf(inputs[4]);
    const read = (v: Value | null | undefined): Float64Array | null => (v == null ? null : floatsOf(v));
    const [xs, ws, rs] = [floatsOf(x), floatsOf(w), floatsOf(r)];
    const [bias, h0, c0, peep] = [3, 5, 6, 7].map((i) => read(inputs[i]));
    const y = new Float64Array(steps * ways * batch * size);
    const last = [new Float64Array(ways * batch * size), new Float64Array(ways * batch * size)];
    for (let d = 0; d < ways; d++) {
      for (let n = 0; n < batch; n++) {
        const state = (batchFirst ? n * ways + d : d * batch + n) * size;
        const initial = (from: Float64Array | null | undefined): Float64Array =>
          from?.slice(state, state + size) ?? new Float64Array(size);
        let [h, c] = [initial(h0), initial(c0)];
        const count = lengths?.[n] ?? steps;
        for (let i = 0; i < count; i++) {
          const t = reversed || d === 1 ? count - 1 - i : i;
          const at = (batchFirst ? n * steps + t : t * batch + n) * width;
          const row = (gate: number, k: number): number => d * gates * size + gate * size + k;
          const dot = (m: Float64Array, start: number, v: Float64Array, from: number, length: number): number => {
            let sum = 0;
            for (let j = 0; j < length; j++) sum += m[start + j]! * v[from + j]!;
            return sum;
          };
          const b = (gate: number, k: number, half: number): number =>
            bias?.[d * 2 * gates * size + half * gates * size + gate * size + k] ?? 0;
          const g: Gates = {
            x: (gate, k) => dot(ws, row(gate, k) * width, xs, at, width) + b(gate, k, 0),
            h: (gate, k, v) => dot(rs, row(gate, k) * size, v, 0, size),
            rb: (gate, k) => b(gate, k, 1),
            p: (gate, k) => peep?.[d * 3 * size + gate * size + k] ?? 0,
          };
          ({ h, c } = cell(node, size, f.slice(d * defaults.length), g, h, c));
          y.set(h, (batchFirst ? (n * steps + t) * ways + d : (t * ways + d) * batch + n) * size);
        }
        last[0]!.set(h, state);
        last[1]!.set(c, state);
      }
    }
    const dims = batchFirst ? [batch, steps, ways, size] : [steps, ways, batch, size];
    const stateDims = batchFirst ? [batch, ways, size] : [ways, batch, size];
    return [fromNumbers(x.dtype, dims, y), ...last.map((v) => fromNumbers(x.dtype, stateDims, v))];
  };

export const LSTM = recurrent(4, ["Sigmoid", "Tanh", "Tanh"], lstm);
export const GRU = recurrent(3, ["Sigmoid", "Tanh"], gru);
export const RNN = recurrent(1, ["Tanh"], rnn);
