import type { Rng } from "../../random/rng.ts";
import type { ClassTest, ClassView } from "./class-view.ts";
import { excessTest, type Property } from "./excess-test.ts";
import type { SpectralOptions } from "./spectral-signatures.ts";

/** Shares of a class that may lie beyond a tail's threshold: a planted group is a minority of its class. */
const TAILS: readonly number[] = [0.4, 0.3, 0.25, 0.2, 0.175, 0.15, 0.125, 0.1, 0.08, 0.065, 0.05, 0.04, 0.03, 0.02];

/** A tail counts as a group of its own, and not as a class that drifted a little, when suspects are so many times likelier to be in it. */
const LIFT = 3;

interface Tail extends Property {
  readonly label: number;
  readonly length: number;
  /** The coordinates whose upper end it is, row by row of the class. */
  readonly upward: Float64Array;
}

/**
 * With a reference: are there more suspects than chance gives beyond any of the thresholds, on either side of any direction,
 * in any class? Where there are, the group that the tail found is completed: see `towards`.
 */
export function outsideReference(
  views: readonly ClassView[],
  rng: Rng,
  options: Pick<SpectralOptions, "alpha" | "shuffles" | "margin" | "directions">,
): ClassTest[] {
  const member = new Uint8Array(views.reduce((sum, { rows }) => sum + rows.length, 0));
  for (const { rows, own } of views) for (const row of rows.slice(0, own)) member[row] = 1;
  const tails = views.flatMap((view, label) => (view.judged ? tailsOf(view, label, options.directions) : []));
  const classes = views.map(({ rows }) => rows);
  const { adjusted, surprise, counts } = excessTest(tails, classes, member, rng, options.shuffles);
  return views.map((view, label): ClassTest => {
    let best = -1;
    tails.forEach((t, h) => {
      if (t.label === label && (best < 0 || surprise[h]! > surprise[best]!)) best = h;
    });
    if (best < 0) return { p: null, adjusted: null, coordinates: view.directions[0]!.coordinates, beyond: null };
    const { upward, length } = tails[best]!;
    const count = counts[best]!;
    const judged = { p: Math.exp(-surprise[best]!), adjusted: adjusted[best]! };
    const trusted = view.rows.length - view.own;
    // Half a row more than there is, so that a tail without trusted rows is not taken to be free of clean ones.
    const others = (length - count + 0.5) / (trusted + 1);
    if (judged.adjusted > options.alpha || count / view.own < LIFT * others) {
      return { ...judged, coordinates: upward, beyond: null };
    }
    // The tail that surprises most is purer than complete, and a few rows left behind keep a backdoor alive: like the
    // paper, more rows are taken than the group is thought to have.
    const size = Math.max(1, count - others * view.own);
    const wanted = Math.max(count, Math.round(options.margin * size));
    const coordinates = towards(view, farthest(upward, view.own, wanted));
    return { ...judged, coordinates, beyond: coordinates[farthest(coordinates, view.own, wanted).at(-1)!]! };
  });
}

function tailsOf({ rows, directions }: ClassView, label: number, looked: number): Tail[] {
  return directions.slice(0, looked).flatMap(({ coordinates }) =>
    [coordinates, coordinates.map((z) => -z)].flatMap((upward) => {
      const order = rows.map((_, i) => i).toSorted((a, b) => upward[b]! - upward[a]! || a - b);
      const inOrder = order.map((i) => rows[i]!);
      const length = (share: number): number => Math.max(1, Math.round(share * order.length));
      return TAILS.map((share) => ({ label, upward, rows: inOrder, length: length(share) }));
    }),
  );
}

/** The `count` suspects with the largest coordinates, as places in the class's list. */
function farthest(coordinates: Float64Array, own: number, count: number): number[] {
  return Array.from({ length: own }, (_, i) => i)
    .toSorted((a, b) => coordinates[b]! - coordinates[a]! || a - b)
    .slice(0, count);
}

/**
 * Where each row of the class lies between the mean of the others and the mean of a group. A singular direction mixes the
 * group with what else the class varies in, so that planted rows lie scattered along it; of whitened features the difference
 * of the means is Fisher's discriminant, which separates best (the assignment to one of two groups in SCAn, Tang et al. 2021).
 */
function towards({ rows, white }: ClassView, group: readonly number[]): Float64Array {
  const n = rows.length;
  const width = white.length / n;
  const inside = new Uint8Array(n);
  for (const i of group) inside[i] = 1;
  const way = new Float64Array(width);
  for (let i = 0; i < n; i++) {
    const weight = inside[i] === 1 ? 1 / group.length : -1 / Math.max(1, n - group.length);
    for (let j = 0; j < width; j++) way[j]! += weight * white[i * width + j]!;
  }
  const length = Math.hypot(...way) || 1;
  return Float64Array.from({ length: n }, (_, i) => {
    let dot = 0;
    for (let j = 0; j < width; j++) dot += white[i * width + j]! * way[j]!;
    return dot / length;
  });
}
