// One turn of our accountants: prints JSON of [name, seconds (fastest and median of the repeats), value].
// Usage: node bench/accounting/ours.mjs REPEATS; needs `npm run build`.
import * as dp from "../../dist/privacy/index.js";

const repeats = Number(process.argv[2] ?? 5);
const sgd = (rate, sigma, steps) => dp.repeated(dp.poissonSampled(rate, dp.gaussian(sigma)), steps);
const q = 256 / 60000;
const add = "add-or-remove";
const cases = {
  "row 2, loss distribution": () => dp.pldOf(sgd(q, 1.1, 14062), add).epsilon(1e-5),
  "row 2, Rényi": () => dp.epsilonFromRdp(dp.rdpOf(sgd(q, 1.1, 14062), add), 1e-5).epsilon,
  "row 14 (rate 0.01, noise 0.8, 1000 steps)": () => dp.pldOf(sgd(0.01, 0.8, 1000), add).epsilon(1e-6),
  "mixed (sampled Gaussian, Gaussian, Laplace)": () =>
    dp
      .pldOf(
        dp.composed([sgd(5e-3, 0.8, 100), dp.repeated(dp.gaussian(8), 200), dp.repeated(dp.laplace(10), 100)]),
        add,
      )
      .epsilon(1e-6),
  "calibrate noise, epsilon 3, loss distribution": () =>
    dp.calibrate({ epsilonAt: (s) => dp.pldOf(sgd(q, s, 14062), add).epsilon(1e-5), target: 3, low: 0.2, high: 100 })
      .value,
};
const out = {};
for (const [name, work] of Object.entries(cases)) {
  work(); // the first call compiles
  const times = [];
  let value = 0;
  for (let i = 0; i < (name.startsWith("calibrate") ? 1 : repeats); i++) {
    const from = performance.now();
    value = work();
    times.push((performance.now() - from) / 1000);
  }
  times.sort((a, b) => a - b);
  out[name] = { fastest: times[0], median: times[times.length >> 1], value };
}
console.log(JSON.stringify(out));
