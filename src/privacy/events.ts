import { MarauderError } from "../errors.ts";

/**
 * What touched the data, as plain data. A sampler or mechanism emits events, an accountant only reads them.
 *
 * Noise is stated relative to the most that ONE record can contribute (its clip norm), so that the same event has a
 * meaning under every adjacency: neighbours differ by one contribution under add-or-remove and zero-out, and by two
 * under replace-one, where one record leaves and another takes its place.
 */
export type DpEvent =
  /** Gaussian noise; `sigma` is its standard deviation over the L2 norm of one contribution. */
  | { readonly kind: "gaussian"; readonly sigma: number }
  /** Laplace noise; `scale` is its scale b over the L1 norm of one contribution. */
  | { readonly kind: "laplace"; readonly scale: number }
  /**
   * Discrete Gaussian noise of parameter `sigma` on integers (Canonne, Kamath and Steinke 2020); one contribution has
   * L2 norm at most `sensitivity`, over `dimension` coordinates.
   */
  | {
      readonly kind: "discrete-gaussian";
      readonly sigma: number;
      readonly sensitivity: number;
      readonly dimension: number;
    }
  /** Discrete Laplace (two-sided geometric) noise, probability proportional to exp(-decay |x|); whole `sensitivity`. */
  | { readonly kind: "discrete-laplace"; readonly decay: number; readonly sensitivity: number }
  /** Each of `buckets` answers: with probability `noise` a uniform one, else the true one. Defined when records are replaced. */
  | { readonly kind: "randomized-response"; readonly noise: number; readonly buckets: number }
  /** Any mechanism that is `epsilon`-DP for a change of one contribution, and of which no more is known. */
  | { readonly kind: "pure"; readonly epsilon: number }
  /** The exponential mechanism, `epsilon`-DP for a change of one contribution. (Permute-and-flip is only pure: its losses range wider.) */
  | { readonly kind: "exponential-mechanism"; readonly epsilon: number }
  /** Each record takes part independently with probability `rate`. */
  | { readonly kind: "poisson-sampled"; readonly rate: number; readonly event: DpEvent }
  /** Poisson sampling from `records` records; of a sample above `cap`, a random `cap` are kept. */
  | {
      readonly kind: "truncated-poisson-sampled";
      readonly rate: number;
      readonly cap: number;
      readonly records: number;
      readonly event: DpEvent;
    }
  /** Exactly `size` of `records` records, drawn without replacement, afresh each time. */
  | { readonly kind: "fixed-size-sampled"; readonly size: number; readonly records: number; readonly event: DpEvent }
  /**
   * Gaussian noise when the neighbours are `shifts[i]` contributions apart with probability `weights[i]`: one step seen
   * from a unit that has several records, of which a random number is drawn. Add-or-remove and zero-out.
   */
  | {
      readonly kind: "mixture-of-gaussians";
      readonly sigma: number;
      readonly shifts: readonly number[];
      readonly weights: readonly number[];
    }
  /** Prefix sums over `steps` by the binary tree mechanism, each record in one step; `sigma` as in a Gaussian, at each node. */
  | { readonly kind: "tree-aggregation"; readonly sigma: number; readonly steps: number }
  | { readonly kind: "composed"; readonly events: readonly DpEvent[] }
  | { readonly kind: "repeated"; readonly event: DpEvent; readonly count: number }
  /** Data were released as they are. */
  | { readonly kind: "non-private" }
  /** Something whose cost is unknown; `name` says what. */
  | { readonly kind: "unsupported"; readonly name: string };

export type EventKind = DpEvent["kind"];

/**
 * Which data sets count as neighbours. `add-or-remove`: one record more or less. `zero-out`: a record's contribution is
 * blanked, the number of records is public. `replace-one`: a record becomes another one.
 */
export type Adjacency = "add-or-remove" | "zero-out" | "replace-one";
export const adjacencies: readonly Adjacency[] = ["add-or-remove", "zero-out", "replace-one"];

/** How many contributions neighbours are apart. */
export const distanceOf = (adjacency: Adjacency): 1 | 2 => (adjacency === "replace-one" ? 2 : 1);

/** Makers of events; each checks its numbers and throws OPTION_RANGE. */
export const gaussian = (sigma: number): DpEvent => checked({ kind: "gaussian", sigma });
export const laplace = (scale: number): DpEvent => checked({ kind: "laplace", scale });
export const discreteGaussian = (sigma: number, sensitivity = 1, dimension = 1): DpEvent =>
  checked({ kind: "discrete-gaussian", sigma, sensitivity, dimension });
export const discreteLaplace = (decay: number, sensitivity = 1): DpEvent =>
  checked({ kind: "discrete-laplace", decay, sensitivity });
export const randomizedResponse = (noise: number, buckets: number): DpEvent =>
  checked({ kind: "randomized-response", noise, buckets });
export const pure = (epsilon: number): DpEvent => checked({ kind: "pure", epsilon });
export const exponentialMechanism = (epsilon: number): DpEvent => checked({ kind: "exponential-mechanism", epsilon });
export const poissonSampled = (rate: number, event: DpEvent): DpEvent =>
  checked({ kind: "poisson-sampled", rate, event });
export const truncatedPoissonSampled = (rate: number, cap: number, records: number, event: DpEvent): DpEvent =>
  checked({ kind: "truncated-poisson-sampled", rate, cap, records, event });
export const fixedSizeSampled = (size: number, records: number, event: DpEvent): DpEvent =>
  checked({ kind: "fixed-size-sampled", size, records, event });
export const mixtureOfGaussians = (sigma: number, shifts: readonly number[], weights: readonly number[]): DpEvent =>
  checked({
    kind: "mixture-of-gaussians",
    sigma,
    shifts: Object.freeze([...shifts]),
    weights: Object.freeze([...weights]),
  });
export const treeAggregation = (sigma: number, steps: number): DpEvent =>
  checked({ kind: "tree-aggregation", sigma, steps });
export const composed = (events: readonly DpEvent[]): DpEvent =>
  checked({ kind: "composed", events: Object.freeze([...events]) });
export const repeated = (event: DpEvent, count: number): DpEvent => checked({ kind: "repeated", event, count });
export const nonPrivate: DpEvent = Object.freeze({ kind: "non-private" });
export const unsupported = (name: string): DpEvent => checked({ kind: "unsupported", name });

type Field = "positive" | "non-negative" | "rate" | "count" | "whole" | "text" | "numbers" | "event" | "events";

/** The fields of each kind; a kind that is not here is unknown. */
const fields: Readonly<Record<EventKind, Readonly<Record<string, Field>>>> = {
  gaussian: { sigma: "non-negative" },
  laplace: { scale: "non-negative" },
  "discrete-gaussian": { sigma: "non-negative", sensitivity: "positive", dimension: "count" },
  "discrete-laplace": { decay: "positive", sensitivity: "count" },
  "randomized-response": { noise: "rate", buckets: "count" },
  pure: { epsilon: "non-negative" },
  "exponential-mechanism": { epsilon: "non-negative" },
  "poisson-sampled": { rate: "rate", event: "event" },
  "truncated-poisson-sampled": { rate: "rate", cap: "count", records: "count", event: "event" },
  "fixed-size-sampled": { size: "whole", records: "count", event: "event" },
  "mixture-of-gaussians": { sigma: "non-negative", shifts: "numbers", weights: "numbers" },
  "tree-aggregation": { sigma: "non-negative", steps: "count" },
  composed: { events: "events" },
  repeated: { event: "event", count: "whole" },
  "non-private": {},
  unsupported: { name: "text" },
};

export const eventKinds = Object.keys(fields) as readonly EventKind[];
const MAX_DEPTH = 64;

const expectation: Record<Field, string> = {
  positive: "a finite number above 0",
  "non-negative": "a finite number from 0 (0 is no noise)",
  rate: "a probability from 0 to 1",
  count: "a whole number from 1",
  whole: "a whole number from 0",
  text: "text",
  numbers: "a list of one or more finite numbers from 0",
  event: "an event",
  events: "a list of events",
};

function fits(value: unknown, field: Field): boolean {
  const number = typeof value === "number" ? value : NaN;
  switch (field) {
    case "positive":
      return number > 0 && Number.isFinite(number);
    case "non-negative":
      return number >= 0 && Number.isFinite(number);
    case "rate":
      return number >= 0 && number <= 1;
    case "count":
      return Number.isSafeInteger(number) && number >= 1;
    case "whole":
      return Number.isSafeInteger(number) && number >= 0;
    case "text":
      return typeof value === "string";
    case "numbers":
      return Array.isArray(value) && value.length > 0 && value.every((x) => fits(x, "non-negative"));
    case "events":
      return Array.isArray(value);
    case "event":
      return typeof value === "object" && value !== null && !Array.isArray(value);
  }
}

/**
 * Checks an event that came from a file or another program and gives a frozen copy with nothing else in it. An unknown
 * kind becomes an `unsupported` event of that name, so that the accountant can name it. Throws OPTION_RANGE.
 */
export function parseEvent(value: unknown, path = "event", depth = 0): DpEvent {
  if (depth > MAX_DEPTH) refuse(path, `nested at most ${MAX_DEPTH} deep`, "more");
  if (!fits(value, "event")) refuse(path, "an object with a kind", JSON.stringify(value)?.slice(0, 80) ?? "nothing");
  const given = value as Record<string, unknown>;
  const kind = given["kind"];
  if (typeof kind !== "string") return refuse(`${path}.kind`, "the name of an event", typeof kind);
  if (!Object.hasOwn(fields, kind)) return Object.freeze({ kind: "unsupported", name: kind.slice(0, 80) });
  const out: Record<string, unknown> = { kind };
  for (const [name, field] of Object.entries(fields[kind as EventKind])) {
    const at = `${path}.${name}`;
    const item = given[name];
    if (!fits(item, field)) refuse(at, expectation[field], JSON.stringify(item)?.slice(0, 80) ?? "nothing");
    if (field === "event") out[name] = parseEvent(item, at, depth + 1);
    else if (field === "events")
      out[name] = Object.freeze((item as unknown[]).map((e, i) => parseEvent(e, `${at}[${i}]`, depth + 1)));
    else out[name] = field === "numbers" ? Object.freeze([...(item as number[])]) : item;
  }
  const event = out as unknown as DpEvent;
  checkRelations(event, path);
  return Object.freeze(event);
}

function checkRelations(event: DpEvent, path: string): void {
  if (event.kind === "fixed-size-sampled" && event.size > event.records)
    refuse(`${path}.size`, `at most the ${event.records} records`, String(event.size));
  if (event.kind === "randomized-response" && event.buckets < 2)
    refuse(`${path}.buckets`, "at least 2", String(event.buckets));
  if (event.kind === "mixture-of-gaussians") {
    const { shifts, weights } = event;
    if (shifts.length !== weights.length)
      refuse(`${path}.weights`, `as many as the ${shifts.length} shifts`, String(weights.length));
    const sum = weights.reduce((a, b) => a + b, 0);
    if (Math.abs(sum - 1) > 1e-9) refuse(`${path}.weights`, "probabilities that add up to 1", `a sum of ${sum}`);
  }
}

/** Checks the top of an event whose parts are checked already. */
function checked(event: DpEvent): DpEvent {
  for (const [name, field] of Object.entries(fields[event.kind])) {
    const value = (event as unknown as Record<string, unknown>)[name];
    if (!fits(value, field)) refuse(`${event.kind}.${name}`, expectation[field], String(value));
  }
  checkRelations(event, event.kind);
  return Object.freeze(event);
}

function refuse(what: string, expected: string, got: string): never {
  throw new MarauderError("OPTION_RANGE", `a privacy event is not valid: ${what} must be ${expected}, got ${got}`, {
    details: { what },
  });
}
