import type { UpdateOptions } from "../../src/train/optimizers.ts";

/** SGD and nothing else. */
export const plainSgd = (momentum: number): UpdateOptions => ({
  optimizer: "sgd",
  momentum,
  nesterov: false,
  weightDecay: 0,
  decay: null,
  decayed: "all",
  clipNorm: null,
  ema: 0,
});
