import { getFloat, getInt, getString, int } from "../../ir/index.ts";
import { activationsOf, type Activation } from "./activations.ts";
import {
  given,
  num,
  refuse,
  sizeAt,
  sizes,
  slice,
  upTo,
  wanted,
  zeros,
  type Decomposition,
  type Site,
} from "./context.ts";
import { split } from "./control.ts";

/** Most steps that a sequence is unrolled for. */
const MOST_STEPS = 4096;

/** What one direction computes with. Gates lie side by side, G·H wide; states are [1, B, H]. */
interface Cell {
  readonly s: Site;
  readonly hidden: number;
  /** Wᵀ above Rᵀ, [I + H, G·H]; of a GRU Rᵀ alone, which has products within. */
  readonly weights: string;
  /** Wb + Rb [G·H]; of a GRU, where it is added within, Rb. */
  readonly bias: string | null;
  readonly p: string | null;
  readonly f: readonly Activation[];
  /** Parts of the weights that every step reads, made once. */
  readonly parts: Map<string, string>;
}

interface State {
  readonly h: string;
  readonly c: string | null;
}

/** One step from x [1, B, I], of a GRU from X·Wᵀ + Wb: the next state. */
type Step = (cell: Cell, x: string, state: State) => State;

const clip = (s: Site, value: string): string => {
  const bound = getFloat(s.node, "clip", 0);
  return bound > 0 ? s.b.op("Clip", [value, num(s, -bound), num(s, bound)]) : value;
};

/** Gates `from` to before `to` of a parameter, along an axis. */
function part({ s, hidden, parts }: Cell, value: string, axis: number, from: number, to = from + 1): string {
  const key = `${value} ${from} ${to}`;
  const known = parts.get(key);
  if (known !== undefined) return known;
  const made = slice(s, value, axis, from * hidden, to * hidden);
  parts.set(key, made);
  return made;
}

/** Gates of a value, joined as `sizes` say. */
const pieces = ({ s, hidden }: Cell, value: string, sizes: readonly number[]): string[] =>
  s.b.opN("Split", [value, s.b.indices(sizes.map((n) => n * hidden))], sizes.length, { axis: int(2) });

/** X·Wᵀ + H·Rᵀ + Wb + Rb by one product: nothing is kept for all steps at once and cut apart again. */
const sums = ({ s: { b }, weights, bias }: Cell, x: string, h: string): string => {
  const made = b.matmul(b.op("Concat", [x, h], { axis: int(2) }), weights);
  return bias === null ? made : b.add(made, bias);
};

// H = f(X·Wᵀ + H·Rᵀ + Wb + Rb)
const rnnStep: Step = (cell, x, { h }) => ({ h: cell.f[0]!(clip(cell.s, sums(cell, x, h))), c: null });

// z, r = f(X·Wᵀ + H·Rᵀ + Wb + Rb)      h = g(X·Whᵀ + (r⊙H)·Rhᵀ + Rbh + Wbh)      H = (1 - z)⊙h + z⊙H
const gruStep: Step = (cell, xw, { h }) => {
  const { s, weights, bias, f } = cell;
  const { b } = s;
  const [xzr, xh] = pieces(cell, xw, [2, 1]) as [string, string];
  const product = (x: string, from: number, to: number): string => {
    const made = b.matmul(x, from === 0 && to === 3 ? weights : part(cell, weights, 1, from, to));
    return bias === null ? made : b.add(made, from === 0 && to === 3 ? bias : part(cell, bias, 0, from, to));
  };
  const within = getInt(s.node, "linear_before_reset", 0) !== 0;
  const [hzr, hh] = within ? pieces(cell, product(h, 0, 3), [2, 1]) : [product(h, 0, 2), null];
  const [z, reset] = pieces(cell, f[0]!(clip(s, b.add(xzr, hzr!))), [1, 1]) as [string, string];
  const inner = hh == null ? product(b.mul(reset, h), 2, 3) : b.mul(reset, hh);
  const next = f[1]!(clip(s, b.add(xh, inner)));
  return { h: b.add(b.mul(b.sub(num(s, 1), z), next), b.mul(z, h)), c: null };
};

// i, f = f(… + P⊙C)      c = g(…)      C = f⊙C + i⊙c      o = f(… + Po⊙C)      H = o⊙h(C)
const lstmStep: Step = (cell, x, { h, c }) => {
  const { s, p, f } = cell;
  const { b } = s;
  const sum = sums(cell, x, h);
  if (p === null && getInt(s.node, "input_forget", 0) === 0) {
    // The three gates of one activation lie side by side: a third of the nodes, and of those of the gradient.
    const [gates, fresh] = pieces(cell, sum, [3, 1]) as [string, string];
    const [input, output, forget] = pieces(cell, f[0]!(clip(s, gates)), [1, 1, 1]) as [string, string, string];
    const state = b.add(b.mul(forget, c!), b.mul(input, f[1]!(clip(s, fresh))));
    return { h: b.mul(output, f[2]!(clip(s, state))), c: state };
  }
  const [xi, xo, xf, xc] = pieces(cell, sum, [1, 1, 1, 1]) as [string, string, string, string];
  const peep = (value: string, gate: number, state: string): string =>
    p === null ? value : b.add(value, b.mul(part(cell, p, 0, gate), state));
  const input = f[0]!(clip(s, peep(xi, 0, c!)));
  const forget = getInt(s.node, "input_forget", 0) !== 0 ? b.sub(num(s, 1), input) : f[0]!(clip(s, peep(xf, 2, c!)));
  const next = b.add(b.mul(forget, c!), b.mul(input, f[1]!(clip(s, xc))));
  const output = f[0]!(clip(s, peep(xo, 1, next)));
  return { h: b.mul(output, f[2]!(clip(s, next))), c: next };
};

interface Kind {
  readonly gates: number;
  readonly activations: readonly string[];
  readonly step: Step;
  /** Whether X·Wᵀ is made for all steps at once and the recurrent bias added within. */
  readonly late: boolean;
  readonly cell: boolean;
}

/** A recurrent network, unrolled step by step. */
const recurrent =
  ({ gates, activations, step, late, cell: hasCell }: Kind): Decomposition =>
  (s) => {
    const { b, node } = s;
    const batchFirst = getInt(node, "layout", 0) === 1;
    const flip = (value: string, perm: readonly number[]): string => (batchFirst ? b.transpose(value, perm) : value);
    const [w, r] = [node.inputs[1]!, node.inputs[2]!];
    const steps = sizeAt(s, node.inputs[0]!, batchFirst ? 1 : 0, "the length of the sequence");
    const hidden = sizeAt(s, r, 2, "hidden_size");
    if (steps < 1 || steps > MOST_STEPS) return refuse(s, `a sequence of ${steps} steps; expected 1 to ${MOST_STEPS}`);
    const direction = getString(node, "direction", "forward");
    const ways = direction === "bidirectional" ? 2 : 1;
    const f = activationsOf(s, activations, ways);
    const x = flip(node.inputs[0]!, [1, 0, 2]);
    const masks = given(s, 4) === null ? null : stepMasks(s, node.inputs[4]!, steps);
    const run = (d: number): { ys: string[]; last: State } => {
      const of = (i: number): string | null => (given(s, i) === null ? null : pick(s, node.inputs[i]!, d));
      const bias = of(3);
      const half = (from: number): string => slice(s, bias!, 0, from, from + gates * hidden);
      const wb = bias === null ? null : half(0);
      const rb = bias === null ? null : half(gates * hidden);
      const [wt, rt] = [w, r].map((value) => b.transpose(pick(s, value, d), [1, 0])) as [string, string];
      const product = (): string => (wb === null ? b.matmul(x, wt) : b.add(b.matmul(x, wt), wb));
      const xs = split(s, late ? product() : x, 0, steps);
      // From a step and not from x: where x comes step by step, nobody needs it as a whole.
      const batch = sizes(s, xs[0]!, 1, 2);
      const cell: Cell = {
        s,
        hidden,
        weights: late ? rt : b.op("Concat", [wt, rt], { axis: int(0) }),
        bias: late || bias === null ? rb : b.add(wb!, rb!),
        p: hasCell ? of(7) : null,
        f: f[d]!,
        parts: new Map(),
      };
      const start = (i: number): string => {
        if (given(s, i) === null)
          return zeros(s, b.op("Concat", [b.indices([1]), batch, b.indices([hidden])], { axis: int(0) }));
        const all = flip(node.inputs[i]!, [1, 0, 2]);
        return ways === 1 ? all : slice(s, all, 0, d, d + 1);
      };
      let state: State = { h: start(5), c: hasCell ? start(6) : null };
      const backwards = direction === "reverse" || d === 1;
      const ys: string[] = [];
      for (const t of backwards ? upTo(steps).toReversed() : upTo(steps)) {
        const next = step(cell, xs[t]!, state);
        const mask = masks?.[t] ?? null;
        if (mask === null) {
          state = next;
          ys[t] = next.h;
        } else {
          // Beyond an example's length its state stays as it is, and its output is 0.
          const keep = (fresh: string, old: string): string => b.op("Where", [mask, fresh, old]);
          state = { h: keep(next.h, state.h), c: next.c === null ? null : keep(next.c, state.c!) };
          ys[t] = keep(next.h, num(s, 0));
        }
      }
      return { ys, last: state };
    };
    const runs = upTo(ways).map(run);
    const join = (parts: string[], axis: number): string =>
      parts.length === 1 ? parts[0]! : b.op("Concat", parts, { axis: int(axis) });
    const outputs = [""];
    if (wanted(s, 0)) {
      const all = join(
        runs.map(({ ys }) => b.unsqueeze(join(ys, 0), [1])),
        1,
      );
      outputs[0] = flip(all, [2, 0, 1, 3]);
    }
    const lastOf = (of: (state: State) => string): string =>
      flip(
        join(
          runs.map(({ last }) => of(last)),
          0,
        ),
        [1, 0, 2],
      );
    outputs[1] = wanted(s, 1) ? lastOf((state) => state.h) : "";
    outputs[2] = hasCell && wanted(s, 2) ? lastOf((state) => state.c!) : "";
    return outputs;
  };

/** Direction `d` of a parameter that is stacked by direction. */
const pick = (s: Site, value: string, d: number): string => s.b.squeeze(slice(s, value, 0, d, d + 1), [0]);

/** For each step, which examples still run: [B, 1]; null where every length is known to be the whole sequence. */
function stepMasks(s: Site, lengths: string, steps: number): string[] | null {
  if (s.numbers(lengths)?.every((n) => n === steps) === true) return null;
  const { b } = s;
  const column = b.unsqueeze(b.op("Cast", [lengths], { to: int(7) }), [1]);
  return upTo(steps).map((t) => b.op("Greater", [column, b.indices([t])]));
}

const lstm: Kind = { gates: 4, activations: ["Sigmoid", "Tanh", "Tanh"], step: lstmStep, late: false, cell: true };
const gru: Kind = { gates: 3, activations: ["Sigmoid", "Tanh"], step: gruStep, late: true, cell: false };
const rnn: Kind = { gates: 1, activations: ["Tanh"], step: rnnStep, late: false, cell: false };
export const LSTM = recurrent(lstm);
export const GRU = recurrent(gru);
export const RNN = recurrent(rnn);
