import type { Command } from "commander";
import { MarauderError } from "../../errors.ts";
import * as dp from "../../privacy/index.ts";
import {
  addSchemeFlags,
  adjacencyOf,
  checkDelta,
  eventOf,
  jsonNumber,
  passes,
  type Scheme,
  type SchemeFlags,
} from "../privacy/scheme.ts";
import { columns, wrap } from "../text.ts";

/** marauder account --rate 256/60000 --sigma 1.1 --steps 14062 --delta 1e-5 */
export function addAccount(main: Command): void {
  addSchemeFlags(
    main
      .command("account")
      .description("what noisy training has cost: epsilon under each accountant, with adjacency, sampler and caveats"),
  )
    .addHelpText("after", examples)
    .action((flags: SchemeFlags) => {
      const scheme = schemeOf(flags);
      const adjacency = adjacencyOf(flags);
      checkDelta(flags.delta, flags.records ?? scheme.rate.records);
      const account = dp.account(eventOf(scheme, flags), adjacency, flags.delta);
      const shuffle = shuffling(scheme, flags, adjacency);
      const notes = notesOf(account, scheme, flags);
      if (flags.json === true) {
        const epsilon = Object.fromEntries(Object.entries(account.epsilon).map(([name, e]) => [name, jsonNumber(e)]));
        const { order, orderAtEdge, unsupported } = account;
        const analytic = jsonNumber(account.analytic);
        const out = { epsilon, delta: flags.delta, adjacency, sampler: flags.sampler, order, orderAtEdge };
        process.stdout.write(JSON.stringify({ ...out, analytic, shuffle, unsupported, notes }, null, 2) + "\n");
      } else process.stdout.write(describe(account, flags, shuffle, notes) + "\n");
    });
}

const examples = `
Examples:
  marauder account --rate 256/60000 --sigma 1.1 --steps 14062 --delta 1e-5
  marauder account --rate 256/60000 --sigma 1.1 --steps 14062 --delta 1e-5 --sampler truncated --cap 350
  marauder account --rate 256/60000 --sigma 1.1 --steps 14062 --delta 1e-5 --adjacency replace-one --json
`;

function schemeOf({ rate, sigma, steps }: SchemeFlags): Scheme {
  const missing = Object.entries({ rate, sigma, steps }).find(([, value]) => value === undefined);
  if (missing) throw new MarauderError("USAGE", `marauder account needs --${missing[0]}; see marauder account --help`);
  return { rate: rate!, sigma: sigma!, steps: steps! };
}

interface Shuffling {
  /** Proven for one epoch by a worst data set (zero-out). */
  readonly lowerBoundOneEpoch: number;
  /** Proven for all steps, with no amplification. */
  readonly upperBound: number;
}

/** What the same run would give with shuffled batches. */
function shuffling({ rate, sigma, steps }: Scheme, flags: SchemeFlags, adjacency: dp.Adjacency): Shuffling | null {
  if (rate.value === 0 || sigma === 0) return null;
  const batches = Math.max(1, Math.min(steps, Math.floor(1 / rate.value)));
  return {
    lowerBoundOneEpoch: dp.shuffleLowerBound(sigma, batches, flags.delta),
    upperBound: dp.gaussianEpsilon(
      sigma / (dp.distanceOf(adjacency) * Math.sqrt(passes(rate.value, steps))),
      flags.delta,
    ),
  };
}

function notesOf(account: dp.Account, scheme: Scheme, flags: SchemeFlags): string[] {
  const notes: string[] = [];
  const { rdp, pld } = account.unsupported;
  if (rdp) notes.push(`The Rényi account does not know this: at ${rdp.path}, ${rdp.reason}.`);
  if (pld) notes.push(`The loss-distribution account does not know this: at ${pld.path}, ${pld.reason}.`);
  if (account.orderAtEdge)
    notes.push(
      `The best Rényi order, ${account.order}, is the ${account.orderAtEdge} of the grid: another one might give less.`,
    );
  if (flags.delta < dp.DELTA_FLOOR)
    notes.push(`The loss-distribution account claims nothing below delta ${dp.DELTA_FLOOR}: use the Rényi account.`);
  if (flags.sampler === "shuffle" || flags.sampler === "none")
    notes.push(
      `No amplification by sampling is claimed: every record takes part in ${passes(scheme.rate.value, scheme.steps)} steps.`,
    );
  if (flags.sampler === "poisson" || flags.sampler === "truncated")
    notes.push(
      "The batches must really be drawn so: a shuffled data loader does not earn these numbers, whatever was accounted.",
    );
  if (account.adjacency === "replace-one") {
    notes.push("Under replace-one the noise counts against twice the clip norm: one record leaves, another one comes.");
    if (flags.sampler === "fixed-size") notes.push(otherConvention(scheme, flags));
  }
  return notes;
}

/** Some accountants take the noise multiplier of this sampler relative to the replace-one sensitivity. */
function otherConvention(scheme: Scheme, flags: SchemeFlags): string {
  const event = eventOf({ ...scheme, sigma: 2 * scheme.sigma }, flags);
  const { epsilon } = dp.epsilonFromRdp(dp.rdpOf(event, "replace-one"), flags.delta);
  return `With --sigma relative to twice the clip norm, as dp_accounting has it for this sampler, the Rényi epsilon is ${epsilon.toFixed(6)}.`;
}

function describe(account: dp.Account, flags: SchemeFlags, shuffle: Shuffling | null, notes: string[]): string {
  const { rdp, pld, gdpEstimate, oldConversion } = account.epsilon;
  const { analytic } = account;
  const show = (e: number | null): string => (e === null ? "not known" : e === Infinity ? "infinite" : e.toFixed(6));
  const rows = [
    ["privacy loss distribution", show(pld), "guarantee"],
    [
      "Rényi, tight conversion",
      show(rdp),
      account.order === null ? "guarantee" : `guarantee, at order ${account.order}`,
    ],
    ...(analytic === null ? [] : [["analytic Gaussian", show(analytic), "guarantee, exact"]]),
    ["Gaussian DP (central limit)", show(gdpEstimate), "estimate only, often too low"],
    ["Rényi, conversion of 2017", show(oldConversion), "guarantee; what older papers print"],
  ];
  const lines = [
    `delta ${flags.delta}, adjacency ${account.adjacency}, sampler ${flags.sampler}`,
    "",
    columns(["account", "epsilon", "is"], rows),
  ];
  if (shuffle !== null)
    lines.push(
      "",
      wrap(
        `${flags.sampler === "shuffle" ? "Shuffled batches" : "If the batches are shuffled instead"}: one epoch alone costs at least ${show(shuffle.lowerBoundOneEpoch)}; ` +
          `proven for all steps is ${show(shuffle.upperBound)}.`,
      ),
    );
  if (notes.length > 0) lines.push("", ...notes.map((note) => wrap(note)));
  return lines.join("\n");
}
