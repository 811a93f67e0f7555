import { Option, type Command } from "commander";
import { MarauderError } from "../../errors.ts";
import * as dp from "../../privacy/index.ts";
import { numberValue } from "../flags.ts";
import {
  addSchemeFlags,
  adjacencyOf,
  checkDelta,
  eventOf,
  type Rate,
  type Scheme,
  type SchemeFlags,
} from "../privacy/scheme.ts";

interface CalibrateFlags extends SchemeFlags {
  for: "sigma" | "steps" | "rate";
  epsilon: number;
  accountant: "pld" | "rdp";
}

/** marauder calibrate --for sigma --epsilon 3 --delta 1e-5 --rate 256/60000 --steps 14062 */
export function addCalibrate(main: Command): void {
  addSchemeFlags(
    main
      .command("calibrate")
      .description("the noise, the number of steps or the sampling rate that keeps epsilon at or below a target"),
  )
    .addOption(
      new Option("--for <parameter>", "what to look for; give the other two")
        .choices(["sigma", "steps", "rate"])
        .default("sigma"),
    )
    .requiredOption("--epsilon <e>", "target, never exceeded", numberValue)
    .addOption(new Option("--accountant <name>", "which guarantee").choices(["pld", "rdp"]).default("pld"))
    .addHelpText("after", examples)
    .action((flags: CalibrateFlags) => {
      const given = { rate: flags.rate, sigma: flags.sigma, steps: flags.steps };
      for (const [name, value] of Object.entries(given)) {
        if (name !== flags.for && value === undefined)
          throw new MarauderError("USAGE", `calibrating --for ${flags.for} needs --${name}`);
        if (name === flags.for && value !== undefined)
          throw new MarauderError("USAGE", `--${name} is what is looked for: leave it out, or choose another --for`);
      }
      checkDelta(flags.delta, flags.records ?? flags.rate?.records ?? null);
      const found = search(flags);
      const adjacency = adjacencyOf(flags);
      const { accountant, delta, sampler } = flags;
      const out = { [flags.for]: found.value, epsilon: found.epsilon, delta, adjacency, sampler, accountant };
      process.stdout.write(
        flags.json === true
          ? JSON.stringify(out, null, 2) + "\n"
          : `${flags.for} ${found.value} gives epsilon ${found.epsilon.toFixed(6)} at delta ${delta} ` +
              `(${accountant}, ${adjacency}, sampler ${sampler})\n`,
      );
    });
}

const examples = `
Examples:
  marauder calibrate --for sigma --epsilon 3 --delta 1e-5 --rate 256/60000 --steps 14062
  marauder calibrate --for steps --epsilon 3 --delta 1e-5 --rate 256/60000 --sigma 1.1
`;

function search(flags: CalibrateFlags): dp.Calibrated {
  const adjacency = adjacencyOf(flags);
  const epsilonAt = (x: number): number => {
    const rate: Rate = flags.for === "rate" ? { value: x, batch: null, records: null } : flags.rate!;
    const scheme: Scheme = {
      rate,
      sigma: flags.for === "sigma" ? x : flags.sigma!,
      steps: flags.for === "steps" ? x : flags.steps!,
    };
    const event = eventOf(scheme, flags);
    const culprit =
      flags.accountant === "rdp" ? dp.unsupportedByRdp(event, adjacency) : dp.unsupportedByPld(event, adjacency);
    if (culprit)
      throw new MarauderError(
        "USAGE",
        `the ${flags.accountant} account does not know this: at ${culprit.path}, ${culprit.reason}`,
      );
    return flags.accountant === "rdp"
      ? dp.epsilonFromRdp(dp.rdpOf(event, adjacency), flags.delta).epsilon
      : dp.pldOf(event, adjacency).epsilon(flags.delta);
  };
  const ranges = { sigma: [0.2, 1000], steps: [1, 1e7], rate: [1e-7, 1] } as const;
  const [low, high] = ranges[flags.for];
  return dp.calibrate({ epsilonAt, target: flags.epsilon, low, high, whole: flags.for === "steps" });
}
