import { MarauderError } from "../errors.ts";
import { checkDelta } from "./accountants/check.ts";
import { defaultOrders, rdpOf, unsupportedByRdp } from "./accountants/rdp.ts";
import type { Adjacency, DpEvent } from "./events.ts";

export interface Budget {
  readonly epsilon: number;
  readonly delta: number;
  readonly adjacency: Adjacency;
  /** The Rényi order of the filter, fixed before anything is spent; by default the one that suits Gaussian noise best. */
  readonly order?: number;
}

/**
 * Stops before a budget is overdrawn, even when each event is chosen after the results of the earlier ones: at ONE fixed
 * Rényi order the divergences of adaptively chosen events add up (Feldman and Zrnic 2021, "Individual privacy accounting
 * via a Rényi filter", theorem 3.1). The best of several orders would not be covered by that theorem.
 */
export interface PrivacyFilter {
  readonly order: number;
  /** Divergence spent so far, and the limit, at the order. */
  readonly spent: number;
  readonly limit: number;
  /** The guarantee for what is spent so far, at the budget's delta. */
  readonly epsilon: number;
  fits(event: DpEvent): boolean;
  /** Counts an event. Call it BEFORE the data are touched. Throws BUDGET_SPENT, with nothing counted, when it does not fit; USAGE for an event of unknown cost. */
  spend(event: DpEvent): void;
}

export function privacyFilter({ epsilon, delta, adjacency, order }: Budget): PrivacyFilter {
  checkDelta(delta);
  if (!(epsilon > 0) || (order !== undefined && !(order > 1.01)))
    throw new MarauderError(
      "OPTION_RANGE",
      `a budget needs epsilon above 0 and an order above 1.01, got ${epsilon} and ${order}`,
    );
  const overhead = (alpha: number): number => Math.log1p(-1 / alpha) - Math.log(delta * alpha) / (alpha - 1);
  const candidates = order === undefined ? defaultOrders : [order];
  let best = candidates[0]!;
  for (const alpha of candidates)
    if ((epsilon - overhead(alpha)) / alpha > (epsilon - overhead(best)) / best) best = alpha;
  const limit = epsilon - overhead(best);
  if (!(limit > 0))
    throw new MarauderError(
      "OPTION_RANGE",
      `a budget of epsilon ${epsilon} at delta ${delta} leaves nothing to spend at any order; give a larger epsilon or delta`,
    );
  let spent = 0;
  const cost = (event: DpEvent): number => {
    const culprit = unsupportedByRdp(event, adjacency);
    if (culprit)
      throw new MarauderError(
        "USAGE",
        `this event's cost is not known: at ${culprit.path}, ${culprit.reason}; nothing was spent`,
      );
    return rdpOf(event, adjacency, [best]).values[0]!;
  };
  return {
    order: best,
    limit,
    get spent() {
      return spent;
    },
    get epsilon() {
      return spent === 0 ? 0 : spent + overhead(best);
    },
    fits: (event) => spent + cost(event) <= limit,
    spend(event) {
      const next = spent + cost(event);
      if (!(next <= limit))
        throw new MarauderError(
          "BUDGET_SPENT",
          `the privacy budget does not allow this: epsilon would be ${(next + overhead(best)).toPrecision(4)}, ` +
            `the budget is ${epsilon} at delta ${delta}; nothing was spent`,
        );
      spent = next;
    },
  };
}

/** An upper bound of the loss so far that holds at every time at once, however the stopping time is chosen. */
export interface Odometer {
  spend(event: DpEvent): void;
  /** Infinity beyond the last level. */
  readonly epsilon: number;
}

/**
 * An odometer from filters at rising levels (Lécuyer 2021, "Practical privacy filters and odometers with Rényi
 * differential privacy", section 4): level k has the share 6 / (pi² k²) of delta, and the reading is the first level that
 * is not overdrawn.
 */
export function privacyOdometer(budget: Omit<Budget, "order">, levels = 32): Odometer {
  const filters = Array.from({ length: levels }, (_, i) => {
    const epsilon = budget.epsilon * 2 ** ((i + 1 - levels) / 4);
    const delta = (budget.delta * 6) / (Math.PI * (levels - i)) ** 2;
    try {
      return { epsilon, filter: privacyFilter({ ...budget, epsilon, delta }), open: true };
    } catch (error) {
      if (error instanceof MarauderError && error.code === "OPTION_RANGE" && i < levels - 1) return null;
      throw error;
    }
  }).filter((level) => level !== null);
  return {
    spend(event) {
      for (const level of filters) {
        if (level.open && level.filter.fits(event)) level.filter.spend(event);
        else level.open = false;
      }
    },
    get epsilon() {
      if (filters.every((level) => level.filter.spent === 0 && level.open)) return 0;
      return filters.find((level) => level.open)?.epsilon ?? Infinity;
    },
  };
}
