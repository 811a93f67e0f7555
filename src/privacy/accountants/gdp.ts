import { normalCdf } from "../../stats/special.ts";
import { distanceOf, type Adjacency, type DpEvent } from "../events.ts";
import { flatten } from "../flatten.ts";
import { gaussianEpsilon } from "./analytic-gaussian.ts";
import { treeHeight } from "./rdp.ts";

/**
 * The mu of Gaussian differential privacy that a long composition tends to: Bu, Dong, Long and Su 2020, "Deep learning
 * with Gaussian differential privacy", corollary 2 (Poisson), and Dong, Roth and Su 2019, "Gaussian differential
 * privacy", corollary 4 (fixed size). A limit for many steps: AN ESTIMATE, often below the truth, never a guarantee. Null for
 * events that it does not cover.
 */
export function gdpMuEstimate(event: DpEvent, adjacency: Adjacency): number | null {
  const distance = distanceOf(adjacency);
  let square = 0;
  for (const { event: leaf, count } of flatten(event)) {
    if (leaf.kind === "gaussian") square += count * (distance / leaf.sigma) ** 2;
    else if (leaf.kind === "tree-aggregation") square += count * treeHeight(leaf.steps) * (distance / leaf.sigma) ** 2;
    else if (leaf.kind === "poisson-sampled" && leaf.event.kind === "gaussian" && distance === 1)
      square += count * leaf.rate ** 2 * Math.expm1(leaf.event.sigma ** -2);
    else if (leaf.kind === "fixed-size-sampled" && leaf.event.kind === "gaussian") {
      const mu = distance / leaf.event.sigma;
      const inside = Math.exp(mu * mu) * normalCdf(1.5 * mu) + 3 * normalCdf(-mu / 2) - 2;
      square += count * 2 * (leaf.size / leaf.records) ** 2 * inside;
    } else return null;
  }
  return Math.sqrt(square);
}

/** Epsilon of that limit at `delta`: an estimate, never a guarantee. Null where there is none. */
export function gdpEstimate(event: DpEvent, adjacency: Adjacency, delta: number): number | null {
  const mu = gdpMuEstimate(event, adjacency);
  return mu === null ? null : mu === 0 ? 0 : gaussianEpsilon(1 / mu, delta);
}
