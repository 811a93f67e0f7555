import { distanceOf, type Adjacency, type DpEvent } from "../events.ts";
import { flatten, type Culprit } from "../flatten.ts";
import { tailGap } from "../normal.ts";
import { checkDelta } from "./check.ts";
import { treeHeight } from "./rdp.ts";

/**
 * delta of the Gaussian mechanism at `epsilon`, exact: Balle and Wang 2018, "Improving the Gaussian mechanism for
 * differential privacy: analytical calibration and optimal denoising", theorem 8. `sigma`: noise over distance.
 */
export function gaussianDelta(sigma: number, epsilon: number): number {
  if (sigma === 0) return 1;
  if (sigma === Infinity) return 0;
  return Math.max(0, tailGap(epsilon * sigma - 1 / (2 * sigma), 1 / sigma));
}

/** The smallest epsilon at `delta` of the Gaussian mechanism; the upper end of the last bracket, never below. */
export function gaussianEpsilon(sigma: number, delta: number): number {
  checkDelta(delta);
  if (sigma === 0) return Infinity;
  if (gaussianDelta(sigma, 0) <= delta) return 0;
  let high = 1;
  while (gaussianDelta(sigma, high) > delta) high *= 2;
  return bisect((epsilon) => gaussianDelta(sigma, epsilon) <= delta, 0, high);
}

/** The smallest noise, over the distance of neighbours, that is (epsilon, delta)-private; never below. */
export function gaussianSigma(epsilon: number, delta: number): number {
  checkDelta(delta);
  let high = 1;
  while (gaussianDelta(high, epsilon) > delta) high *= 2;
  return bisect((sigma) => sigma > 0 && gaussianDelta(sigma, epsilon) <= delta, 0, high);
}

/** The border above which `holds` is true, as the upper end of a bracket of neighbouring doubles. */
function bisect(holds: (x: number) => boolean, low: number, high: number): number {
  for (let i = 0; i < 200; i++) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/**
 * The noise, over the distance of neighbours, of the one Gaussian release that an event of Gaussian parts amounts to;
 * null when a part is not Gaussian, 0 when data are released, Infinity when nothing is.
 */
export function asOneGaussian(event: DpEvent, adjacency: Adjacency): number | null {
  let precision = 0;
  for (const { event: leaf, count } of flatten(event)) {
    if (leaf.kind === "non-private") precision = Infinity;
    else if (leaf.kind === "gaussian") precision += count / leaf.sigma ** 2;
    else if (leaf.kind === "tree-aggregation") precision += (count * treeHeight(leaf.steps)) / leaf.sigma ** 2;
    else return null;
  }
  return 1 / (Math.sqrt(precision) * distanceOf(adjacency));
}

/** The part of an event that is not Gaussian, or null. */
export function unsupportedByAnalyticGaussian(event: DpEvent): Culprit | null {
  const known = new Set(["gaussian", "tree-aggregation", "non-private"]);
  const leaf = flatten(event).find((l) => !known.has(l.event.kind));
  return leaf === undefined
    ? null
    : { path: leaf.path, reason: `the analytic formula is for unsampled Gaussian noise, not ${leaf.event.kind}` };
}
