import { gdpEstimate } from "./accountants/gdp.ts";
import { asOneGaussian, gaussianEpsilon } from "./accountants/analytic-gaussian.ts";
import { pldOf, unsupportedByPld } from "./accountants/pld.ts";
import { epsilonFromRdp, oldEpsilonFromRdp, rdpOf, unsupportedByRdp } from "./accountants/rdp.ts";
import type { Adjacency, DpEvent } from "./events.ts";
import type { Culprit } from "./flatten.ts";
import { MarauderError } from "../errors.ts";

/** Epsilon of an event under every accountant. Null: that accountant does not know a part of it. Infinity: no guarantee. */
export interface Account {
  readonly epsilon: {
    /** Rényi, tight conversion: a guarantee. */
    readonly rdp: number | null;
    /** Privacy loss distribution: a guarantee, usually the tightest. Infinity below delta 1e-11, where it claims nothing. */
    readonly pld: number | null;
    /** Central limit theorem: an estimate, often too low, never a guarantee. */
    readonly gdpEstimate: number | null;
    /** Rényi with the conversion of 2017, for comparison with older papers. */
    readonly oldConversion: number | null;
  };
  /** Exact epsilon, where all is unsampled Gaussian noise. */
  readonly analytic: number | null;
  readonly delta: number;
  readonly adjacency: Adjacency;
  /** The Rényi order of the optimum, and whether a longer grid of orders might give less. */
  readonly order: number | null;
  readonly orderAtEdge: "lowest" | "highest" | null;
  /** Why an accountant is null. */
  readonly unsupported: { readonly rdp: Culprit | null; readonly pld: Culprit | null };
}

/** The account of an event. Throws OPTION_RANGE for a delta outside (0, 1). */
export function account(event: DpEvent, adjacency: Adjacency, delta: number): Account {
  const unsupported = { rdp: unsupportedByRdp(event, adjacency), pld: unsupportedByPld(event, adjacency) };
  const curve = unsupported.rdp === null ? rdpOf(event, adjacency) : null;
  const rdp = curve && epsilonFromRdp(curve, delta);
  const sigma = asOneGaussian(event, adjacency);
  return {
    epsilon: {
      rdp: rdp && rdp.epsilon,
      pld: unsupported.pld === null ? pldOf(event, adjacency).epsilon(delta) : null,
      gdpEstimate: gdpEstimate(event, adjacency, delta),
      oldConversion: curve && oldEpsilonFromRdp(curve, delta).epsilon,
    },
    analytic: sigma === null ? null : gaussianEpsilon(sigma, delta),
    delta,
    adjacency,
    order: rdp && (Number.isFinite(rdp.epsilon) ? rdp.order : null),
    orderAtEdge: rdp && rdp.atEdge,
    unsupported,
  };
}

/** The best epsilon that is a guarantee. Throws USAGE where no accountant knows the event, with the part that is to blame. */
export function guaranteedEpsilon(event: DpEvent, adjacency: Adjacency, delta: number): number {
  const { epsilon, analytic, unsupported } = account(event, adjacency, delta);
  const known = [epsilon.rdp, epsilon.pld, analytic].filter((e) => e !== null);
  if (known.length === 0) {
    const { path, reason } = unsupported.rdp ?? unsupported.pld!;
    throw new MarauderError("USAGE", `no accountant knows this event: at ${path}, ${reason}`, { details: { path } });
  }
  return Math.min(...known);
}
