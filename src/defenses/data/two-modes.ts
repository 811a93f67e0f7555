import { benjaminiHochberg, betaCdf } from "../../stats/index.ts";
import type { ClassTest, ClassView } from "./class-view.ts";
import { excessMassTable, unimodalityP } from "./unimodality.ts";

/** Without a reference: two modes on the top direction, which stands out from the other classes'. */
export function twoModes(views: readonly ClassView[], alpha: number): ClassTest[] {
  const table = excessMassTable();
  const ratios = views.map(({ directions: [first, second] }) =>
    Math.log(Math.max(first!.variance, 1e-300) / Math.max(second!.variance, 1e-300)),
  );
  const raw = views.map((view, label) => {
    if (!view.judged) return null;
    const others = ratios.filter((_r, other) => other !== label && views[other]!.judged);
    return Math.max(unimodalityP(view.directions[0]!.coordinates, table), standsOut(ratios[label]!, others));
  });
  const adjusted = benjaminiHochberg(raw.filter((p) => p !== null));
  let at = 0;
  return raw.map((p, label): ClassTest => {
    const { coordinates } = views[label]!.directions[0]!;
    if (p === null) return { p, adjusted: null, coordinates, beyond: null };
    const own = adjusted[at++]!;
    if (own > alpha) return { p, adjusted: own, coordinates, beyond: null };
    const { side, beyond } = smallerSide(coordinates);
    return { p, adjusted: own, coordinates: coordinates.map((z) => side * z), beyond };
  });
}

/** One-sided p-value of one value against at least 3 others as a normal sample (Student's t); 0 with fewer others, which says nothing against it. */
export function standsOut(value: number, others: readonly number[]): number {
  const k = others.length;
  if (k < 3) return 0;
  const mean = others.reduce((a, b) => a + b, 0) / k;
  const variance = others.reduce((a, b) => a + (b - mean) ** 2, 0) / (k - 1);
  if (variance === 0) return value > mean ? 0 : 1;
  const t = (value - mean) / Math.sqrt(variance * (1 + 1 / k));
  const tail = betaCdf((k - 1) / (k - 1 + t * t), (k - 1) / 2, 0.5) / 2;
  return t > 0 ? tail : 1 - tail;
}

/** The smaller of the two groups that a split of least within-group spread (Otsu) makes. */
function smallerSide(sample: Float64Array): { readonly side: 1 | -1; readonly beyond: number } {
  const x = sample.slice().sort();
  const n = x.length;
  const total = x.reduce((a, b) => a + b, 0);
  let left = 0;
  let best = { gain: -Infinity, at: 1 };
  for (let at = 1; at < n; at++) {
    left += x[at - 1]!;
    const gap = left / at - (total - left) / (n - at);
    const gain = at * (n - at) * gap * gap;
    if (gain > best.gain) best = { gain, at };
  }
  return best.at <= n / 2 ? { side: -1, beyond: -x[best.at - 1]! } : { side: 1, beyond: x[best.at]! };
}
