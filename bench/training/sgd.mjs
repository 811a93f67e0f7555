/** The update that both sides make: SGD with momentum. */
export const sgd = {
  optimizer: "sgd",
  momentum: 0.9,
  nesterov: false,
  weightDecay: 0,
  decay: null,
  decayed: "all",
  clipNorm: null,
  ema: 0,
};
