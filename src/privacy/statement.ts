import { account, type Account } from "./account.ts";
import { epsilonFromRdp, rdpOf, unsupportedByRdp } from "./accountants/rdp.ts";
import { checkDelta } from "./accountants/check.ts";
import type { Adjacency, DpEvent } from "./events.ts";
import { flatten } from "./flatten.ts";
import { NOT_PRIVATE } from "./mechanisms/source.ts";
import { repeatAndSelect, type RepeatCount } from "./tuning.ts";
import { MarauderError } from "../errors.ts";

/** How settings (learning rate, clip norm, steps, architecture) were chosen. */
export type Tuning =
  /** Before the data were looked at, or on public data. */
  | { readonly kind: "fixed" }
  /** By a random number of runs, each of the stated event, of which the best was kept: the cost is counted. */
  | { readonly kind: "repeat-and-select"; readonly count: RepeatCount }
  /** By looking at results on the private data, uncounted. */
  | { readonly kind: "uncounted"; readonly runs?: number }
  /** Nobody has said. */
  | { readonly kind: "undeclared" };

/** Something that was computed from data before training: a mean, a vocabulary, a pre-trained feature. */
export interface Preprocessing {
  readonly what: string;
  /** `public`: from public data or constants. `counted`: from the private data, its event is in the account. `uncounted`: from the private data, for free. */
  readonly from: "public" | "counted" | "uncounted";
}

export interface PrivacyFacts {
  /** All that touched the data in ONE run, as samplers and mechanisms emitted it. */
  readonly event: DpEvent;
  readonly adjacency: Adjacency;
  readonly delta: number;
  /** Number of records, taken as public. */
  readonly records: number;
  /** Whose presence is hidden, when it is not a single record but a person with several clipped together: one unit then is one contribution. */
  readonly unit?: string;
  /** The label of the noise source: "system", or "NOT PRIVATE: seeded noise". */
  readonly noise: string;
  /** What leaves: "the model's parameters after every step". */
  readonly released: string;
  readonly tuning?: Tuning;
  readonly preprocessing?: readonly Preprocessing[];
  /** What else the guarantee does not cover, in sentences. */
  readonly notCovered?: readonly string[];
}

export interface PrivacyStatement {
  readonly format: "marauder-privacy-statement";
  readonly version: 1;
  /**
   * `private`: the epsilon holds for all that was declared. `training-only`: it holds for the training, other steps have
   * looked at the data uncounted. `not-private`: there is no guarantee.
   */
  readonly verdict: "private" | "training-only" | "not-private";
  /** Why the verdict is not `private`. */
  readonly reasons: readonly string[];
  readonly unit: string;
  readonly adjacency: Adjacency;
  readonly records: number;
  readonly delta: number;
  /** The guarantee; null without one. */
  readonly epsilon: number | null;
  readonly accountant: "loss distribution" | "Rényi" | "analytic Gaussian" | null;
  readonly conversion: string | null;
  /** The same run under each accountant, tuning not counted. */
  readonly accounts: Account["epsilon"];
  /** One line for each way in which data were drawn and noised. */
  readonly mechanisms: readonly string[];
  readonly noise: string;
  readonly released: string;
  readonly tuning: Tuning;
  readonly preprocessing: readonly Preprocessing[];
  readonly notCovered: readonly string[];
  /** So that anybody can account again. */
  readonly event: DpEvent;
}

/**
 * What may honestly be said about a private run: from its events and from declared facts. What nobody has declared is
 * stated as undeclared, and never counts as private. Throws OPTION_RANGE for a delta outside (0, 1) or no records.
 */
export function privacyStatement(facts: PrivacyFacts): PrivacyStatement {
  const { event, adjacency, delta, records } = facts;
  checkDelta(delta);
  if (!(Number.isSafeInteger(records) && records > 0))
    throw new MarauderError("OPTION_RANGE", `a privacy statement needs the number of records, got ${records}`);
  const one = account(event, adjacency, delta);
  const tuning = facts.tuning ?? { kind: "undeclared" };
  const preprocessing = facts.preprocessing ?? [];
  const best = guarantee(one, facts, tuning);
  const broken: string[] = [];
  if (facts.noise === NOT_PRIVATE) broken.push("The noise came from a seed: whoever has the seed can subtract it.");
  if (best === null) {
    const culprit = one.unsupported.pld ?? one.unsupported.rdp;
    broken.push(
      culprit === null ? "No finite epsilon is proven." : `No accountant knows ${culprit.path}: ${culprit.reason}.`,
    );
  }
  if (delta >= 1 / records)
    broken.push(
      `Delta ${delta} is not below 1/${records}: publishing one record of the ${records} at random would satisfy it.`,
    );
  const partial: string[] = [];
  if (tuning.kind === "uncounted")
    partial.push(
      `Settings were chosen by${tuning.runs === undefined ? "" : ` ${tuning.runs}`} runs on the private data that are not counted.`,
    );
  if (tuning.kind === "undeclared") partial.push("How settings were chosen has not been declared.");
  for (const step of preprocessing)
    if (step.from === "uncounted") partial.push(`${step.what} was computed from the private data and is not counted.`);
  const verdict = broken.length > 0 ? "not-private" : partial.length > 0 ? "training-only" : "private";
  return {
    format: "marauder-privacy-statement",
    version: 1,
    verdict,
    reasons: [...broken, ...partial],
    unit: facts.unit ?? "record",
    adjacency,
    records,
    delta,
    epsilon: broken.length > 0 ? null : best!.epsilon,
    accountant: broken.length > 0 ? null : best!.accountant,
    conversion: broken.length > 0 ? null : best!.conversion,
    accounts: one.epsilon,
    mechanisms: flatten(event).map(({ event: leaf, count }) => mechanismWords(leaf, count)),
    noise: facts.noise,
    released: facts.released,
    tuning,
    preprocessing,
    notCovered: [...alwaysNotCovered(facts), ...(facts.notCovered ?? [])],
    event,
  };
}

type Guarantee = Pick<PrivacyStatement, "accountant" | "conversion"> & { readonly epsilon: number };

const conversions = {
  loss: "none: epsilon is read from the composed loss distribution",
  renyi: "Rényi to (epsilon, delta) by Canonne, Kamath and Steinke 2020, proposition 12",
  analytic: "none: exact for Gaussian noise (Balle and Wang 2018, theorem 8)",
};

function guarantee(one: Account, { event, adjacency, delta }: PrivacyFacts, tuning: Tuning): Guarantee | null {
  if (tuning.kind === "repeat-and-select") {
    if (unsupportedByRdp(event, adjacency) !== null) return null;
    const { epsilon } = epsilonFromRdp(repeatAndSelect(rdpOf(event, adjacency), tuning.count), delta);
    return Number.isFinite(epsilon) ? { epsilon, accountant: "Rényi", conversion: conversions.renyi } : null;
  }
  const { pld, rdp } = one.epsilon;
  const candidates: Guarantee[] = [];
  const add = (epsilon: number | null, accountant: Guarantee["accountant"], conversion: string): void => {
    if (epsilon !== null && Number.isFinite(epsilon)) candidates.push({ epsilon, accountant, conversion });
  };
  add(one.analytic, "analytic Gaussian", conversions.analytic);
  add(pld, "loss distribution", conversions.loss);
  add(rdp, "Rényi", conversions.renyi);
  return candidates.reduce<Guarantee | null>((a, b) => (a === null || b.epsilon < a.epsilon ? b : a), null);
}

/** One leaf of an event in words. */
function mechanismWords(event: DpEvent, count: number): string {
  const times = count === 1 ? "once" : `${count} times`;
  switch (event.kind) {
    case "poisson-sampled":
      return `${times}: each record by a coin of probability ${short(event.rate)} (Poisson sampling), then ${noiseWords(event.event)}`;
    case "truncated-poisson-sampled":
      return (
        `${times}: each of ${event.records} records by a coin of probability ${short(event.rate)}, at most ${event.cap} of them kept ` +
        `(truncated Poisson sampling), then ${noiseWords(event.event)}`
      );
    case "fixed-size-sampled":
      return `${times}: ${event.size} of ${event.records} records without replacement, then ${noiseWords(event.event)}`;
    default:
      return `${times}: all records (no sampling is claimed), ${noiseWords(event)}`;
  }
}

function noiseWords(event: DpEvent): string {
  switch (event.kind) {
    case "gaussian":
      return `Gaussian noise of ${short(event.sigma)} times the clip norm`;
    case "discrete-gaussian":
      return `discrete Gaussian noise of ${short(event.sigma / event.sensitivity)} times what one record contributes`;
    case "laplace":
      return `Laplace noise of ${short(event.scale)} times the clip norm`;
    case "discrete-laplace":
      return `discrete Laplace noise of ${short(1 / (event.decay * event.sensitivity))} times the largest contribution`;
    case "mixture-of-gaussians":
      return `of one unit up to ${Math.max(...event.shifts)} records, Gaussian noise of ${short(event.sigma)} times the clip norm of a record`;
    case "tree-aggregation":
      return `prefix sums over ${event.steps} steps by a tree, Gaussian noise of ${short(event.sigma)} times the clip norm at each node`;
    case "randomized-response":
      return `randomized response over ${event.buckets} answers, a random one with probability ${short(event.noise)}`;
    case "pure":
      return `a mechanism of epsilon ${short(event.epsilon)}`;
    case "exponential-mechanism":
      return `the exponential mechanism of epsilon ${short(event.epsilon)}`;
    case "non-private":
      return "released without noise";
    case "unsupported":
      return `something of unknown cost (${event.name})`;
    default:
      return `a composition (${event.kind})`;
  }
}

const short = (x: number): string => String(Number(x.toPrecision(6)));

function alwaysNotCovered({ adjacency, unit }: PrivacyFacts): string[] {
  const one = unit ?? "record";
  return [
    `What is true of many ${one}s at once: the statement is about one ${one}; for a group of k it is weaker.`,
    "Anything else that was published about the data, before or after.",
    "Logs, loss curves, gradient norms and checkpoints that were shown to others but are not in what is released.",
    "Who can read the training machine, and how long a step takes.",
    adjacency === "replace-one"
      ? "The number of records, which is taken as public."
      : "The number of records, by which sums are divided: it is taken as public.",
  ];
}
