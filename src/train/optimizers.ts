import { int, type GraphBuilder } from "../ir/index.ts";
import type { OptimizerId, TrainOptions } from "./trainer.ts";

export type UpdateOptions = Pick<
  TrainOptions,
  "optimizer" | "momentum" | "nesterov" | "weightDecay" | "decay" | "decayed" | "clipNorm" | "ema"
>;

/** What one tensor's update is made from, by name: all of one shape. */
export interface Updatable {
  readonly parameter: string;
  readonly gradient: string;
  readonly states: readonly string[];
  /** Number of its axes: biases and scales have one. */
  readonly rank: number;
}

/**
 * One update as nodes: gradient clipping, an optimizer, the moving average of the weights. States and parameters are
 * vectors of the layout's length outside the graph, and one tensor for each slot in it. A graph reads an old state
 * only on the way to the new one, so both may lie in the same memory.
 */
export interface UpdateRule {
  /** Equal for rules that append the same nodes: a compiled graph serves all options of one key. */
  readonly key: string;
  readonly states: number;
  readonly rates: number;
  /** Whether each number is updated by itself and all alike, so that a vector may be cut anywhere. */
  readonly uniform: boolean;
  /** The states before the first step. */
  start(parameters: Float32Array): Float32Array[];
  /** Rates of step t = 1, 2, … at the given learning rate. */
  ratesAt(t: number, learningRate: number): number[];
  /** Appends the updates of all tensors and returns the names of the new parameters and states. Rates are scalars. */
  emit(b: GraphBuilder, tensors: readonly Updatable[], rates: readonly string[]): Updated[];
  /** The weights that the training ends with: the last ones, or their moving average. */
  result(parameters: Float32Array, states: readonly Float32Array[]): Float32Array;
}

export interface Updated {
  readonly parameters: string;
  readonly states: readonly string[];
}

interface Optimizer {
  readonly states: number;
  readonly rates: number;
  ratesAt(t: number, learningRate: number, options: UpdateOptions): number[];
  emit(
    b: GraphBuilder,
    p: string,
    g: string,
    states: readonly string[],
    rates: readonly string[],
    nesterov: boolean,
  ): Updated;
}

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/**
 * v <- momentum v + g; p <- p - learningRate v, or with Nesterov's look-ahead p - learningRate (g + momentum v).
 * Sutskever et al. 2013, in the form without dampening.
 */
const sgd: Optimizer = {
  states: 1,
  rates: 2,
  ratesAt: (_t, learningRate, { momentum }) => [learningRate, momentum],
  emit(b, p, g, [v], [learningRate, momentum], nesterov) {
    const velocity = b.add(b.mul(v!, momentum!), g);
    const move = nesterov ? b.add(g, b.mul(velocity, momentum!)) : velocity;
    return { parameters: b.sub(p, b.mul(move, learningRate!)), states: [velocity] };
  },
};

/** Kingma & Ba 2015, algorithm 1. The bias corrections are rates, so that the graph does not count steps. */
const adam: Optimizer = {
  states: 2,
  rates: 2,
  ratesAt: (t, learningRate) => [learningRate / (1 - BETA1 ** t), 1 / Math.sqrt(1 - BETA2 ** t)],
  emit(b, p, g, [m, v], [rate, secondCorrection]) {
    const first = b.add(b.mul(m!, b.scalar(BETA1)), b.mul(g, b.scalar(1 - BETA1)));
    const second = b.add(b.mul(v!, b.scalar(BETA2)), b.mul(b.mul(g, g), b.scalar(1 - BETA2)));
    const root = b.add(b.mul(b.op("Sqrt", [second]), secondCorrection!), b.scalar(EPSILON));
    return { parameters: b.sub(p, b.mul(b.div(first, root), rate!)), states: [first, second] };
  },
};

const optimizers: Readonly<Record<OptimizerId, Optimizer>> = { sgd, adam };

/**
 * The update that the options ask for. Weight decay: "l2" adds weightDecay p to the gradient; "decoupled" takes
 * learningRate weightDecay p from p beside the step (Loshchilov & Hutter 2019, algorithms 1 and 2; with adam: AdamW).
 * Clipping scales the gradient to a global norm of at most clipNorm (Pascanu et al. 2013, algorithm 1), before the decay.
 * The moving average of step t has the decay min(ema, (1 + t) / (10 + t)), so that it forgets the start.
 */
export function updateRule(options: UpdateOptions): UpdateRule {
  const { nesterov, clipNorm, ema, weightDecay } = options;
  const optimizer = optimizers[options.optimizer];
  const decay = weightDecay === 0 ? "none" : (options.decay ?? (options.optimizer === "sgd" ? "l2" : "decoupled"));
  const average = ema > 0;
  const extra = [...(decay === "none" ? [] : ["decay"]), ...(clipNorm === null ? [] : ["clip"])];
  if (average) extra.push("ema");
  const key = [options.optimizer, nesterov && options.optimizer === "sgd", decay, options.decayed, ...extra].join(" ");
  const rates = optimizer.rates + extra.length;
  return {
    key,
    states: optimizer.states + (average ? 1 : 0),
    rates,
    uniform: clipNorm === null && (decay === "none" || options.decayed === "all"),
    start: (parameters) => [
      ...Array.from({ length: optimizer.states }, () => new Float32Array(parameters.length)),
      ...(average ? [parameters.slice()] : []),
    ],
    ratesAt(t, learningRate) {
      const out = optimizer.ratesAt(t, learningRate, options);
      if (decay !== "none") out.push(decay === "l2" ? weightDecay : learningRate * weightDecay);
      if (clipNorm !== null) out.push(clipNorm);
      if (average) out.push(1 - Math.min(ema, (1 + t) / (10 + t)));
      return out;
    },
    emit(b, tensors, given) {
      const own = given.slice(0, optimizer.rates);
      const rate = (name: string): string => given[optimizer.rates + extra.indexOf(name)]!;
      let scale: string | null = null;
      if (clipNorm !== null) {
        const squares = tensors.map(({ gradient }) => b.op("ReduceSumSquare", [gradient], { keepdims: int(0) }));
        const norm = b.op("Sqrt", [squares.reduce((x, y) => b.add(x, y))]);
        scale = b.op("Min", [b.scalar(1), b.div(rate("clip"), b.op("Max", [norm, b.scalar(1e-30)]))]);
      }
      return tensors.map(({ parameter: p, gradient: g, states, rank }) => {
        let gradient = scale === null ? g : b.mul(g, scale);
        let kept = p;
        if (decay !== "none" && (options.decayed === "all" || rank > 1)) {
          const amount = b.mul(p, rate("decay"));
          if (decay === "l2") gradient = b.add(gradient, amount);
          else kept = b.sub(p, amount);
        }
        const updated = optimizer.emit(b, kept, gradient, states, own, nesterov);
        if (!average) return updated;
        const before = states[optimizer.states]!;
        const mean = b.add(before, b.mul(b.sub(updated.parameters, before), rate("ema")));
        return { parameters: updated.parameters, states: [...updated.states, mean] };
      });
    },
    result: (parameters, states) => (average ? states[optimizer.states]! : parameters),
  };
}
