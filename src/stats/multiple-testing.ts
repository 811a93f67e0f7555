/**
 * Benjamini and Hochberg 1995: adjusted p-values in the given order. Rejecting what is at most alpha keeps the expected
 * share of false rejections at alpha; where no hypothesis is false, also the probability of any rejection.
 */
export function benjaminiHochberg(p: readonly number[]): number[] {
  const order = p.map((_, i) => i).toSorted((a, b) => p[b]! - p[a]!);
  const out = p.slice();
  let least = 1;
  order.forEach((i, fromLargest) => {
    least = Math.min(least, (p[i]! * p.length) / (p.length - fromLargest));
    out[i] = least;
  });
  return out;
}
