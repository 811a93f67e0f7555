import type { DpEvent } from "./events.ts";

/** An event that is not a composition, and how often it happens. */
export interface Leaf {
  readonly event: DpEvent;
  readonly count: number;
  /** Where the first one stands, for messages. */
  readonly path: string;
}

/** What an accountant cannot account for, wherever it is nested. */
export interface Culprit {
  readonly path: string;
  readonly reason: string;
}

/**
 * The leaves of a composition, equal ones merged with their counts added: composing k times and repeating k times give
 * the same list. Sums of Gaussian releases of one sample become one Gaussian release.
 */
export function flatten(event: DpEvent): readonly Leaf[] {
  const leaves = new Map<string, { event: DpEvent; count: number; path: string }>();
  const walk = (at: DpEvent, count: number, path: string): void => {
    if (count === 0) return;
    if (at.kind === "composed") return at.events.forEach((e, i) => walk(e, count, `${path} > composed[${i}]`));
    if (at.kind === "repeated") return walk(at.event, count * at.count, `${path} > repeated`);
    const leaf = withMergedInside(at);
    if (leaf === null) return;
    const key = JSON.stringify(leaf);
    const known = leaves.get(key);
    if (known) known.count += count;
    else leaves.set(key, { event: leaf, count, path: `${path} > ${at.kind}`.replace(/^ > /, "") });
  };
  walk(event, 1, "");
  return [...leaves.values()];
}

type Sampled = Extract<DpEvent, { event: DpEvent; rate: number } | { size: number }>;

export const isSampled = (event: DpEvent): event is Sampled =>
  event.kind === "poisson-sampled" || event.kind === "truncated-poisson-sampled" || event.kind === "fixed-size-sampled";

/** A sampled composition of Gaussians is a sampled Gaussian: the releases of one sample are jointly Gaussian. Null: nothing is released. */
function withMergedInside(event: DpEvent): DpEvent | null {
  if (!isSampled(event)) return event;
  const inside = flatten(event.event);
  const only = inside[0];
  if (only === undefined) return null;
  if (inside.length === 1 && only.count === 1) return { ...event, event: only.event };
  let precision = 0;
  for (const leaf of inside) {
    if (leaf.event.kind !== "gaussian") return event;
    precision += leaf.count / leaf.event.sigma ** 2;
  }
  return { ...event, event: { kind: "gaussian", sigma: 1 / Math.sqrt(precision) } };
}
