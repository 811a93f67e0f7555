import type { Rng } from "../../random/rng.ts";
import type { RawTable } from "../dataset.ts";

const categories = [
  "groceries",
  "fuel",
  "restaurant",
  "travel",
  "electronics",
  "clothing",
  "gambling",
  "services",
] as const;
const channels = ["chip", "contactless", "online", "phone"] as const;
const countries = ["home", "neighbour", "overseas"] as const;
const regions = ["north", "south", "islands"] as const;

/** How a kind of customer pays, and how a thief does: weights of the categories and the middle of each number. */
interface Habit {
  readonly category: readonly number[];
  readonly channel: readonly number[];
  readonly country: readonly number[];
  readonly logAmount: readonly [number, number];
  readonly logDistance: readonly [number, number];
  readonly perHour: number;
  readonly night: number;
}

const mainland: Habit = {
  category: [34, 12, 18, 5, 6, 12, 2, 11],
  channel: [30, 38, 28, 4],
  country: [90, 8, 2],
  logAmount: [3.2, 0.9],
  logDistance: [1.6, 1.0],
  perHour: 0.25,
  night: 0.05,
};
/**
 * People on the islands shop online, far away, and in large sums, quite legitimately: whatever takes the unusual for the
 * criminal will hurt them first.
 */
const islands: Habit = {
  category: [22, 6, 8, 22, 16, 14, 1, 11],
  channel: [14, 14, 64, 8],
  country: [62, 26, 12],
  logAmount: [4.3, 0.9],
  logDistance: [5.2, 0.9],
  perHour: 0.3,
  night: 0.08,
};
const thief: Habit = {
  category: [6, 5, 4, 16, 38, 13, 14, 4],
  channel: [5, 12, 68, 15],
  country: [44, 20, 36],
  logAmount: [4.6, 1.0],
  logDistance: [3.8, 1.8],
  perHour: 1.9,
  night: 0.34,
};

const FRAUD = 0.03;

/** Picks a position with probability proportional to its weight. */
function pick(rng: Rng, weights: readonly number[]): number {
  let u = rng.float() * weights.reduce((a, b) => a + b, 0);
  for (let i = 0; i < weights.length; i++) {
    u -= weights[i]!;
    if (u < 0) return i;
  }
  return weights.length - 1;
}

function poisson(rng: Rng, mean: number): number {
  const limit = Math.exp(-mean);
  let n = 0;
  for (let p = rng.float(); p > limit; p *= rng.float()) n++;
  return n;
}

/**
 * Card transactions, one row each: mixed types, three percent fraud, and a declared group column `region` whose smallest
 * group (8 %) behaves differently for good reasons. Each row has its own random stream, so n rows are the first n of more.
 */
export function makeTransactions(n: number, rng: Rng): RawTable {
  const header = [
    "id",
    "amount",
    "hour",
    "category",
    "channel",
    "country",
    "distance_km",
    "minutes_since_last",
    "payments_last_hour",
    "card_age_days",
    "pin_used",
    "region",
    "fraud",
  ];
  return { header, rows: Array.from({ length: n }, (_, i) => transaction(i, rng.child(i))) };
}

function transaction(index: number, rng: Rng): string[] {
  const region = pick(rng, [52, 40, 8]);
  const fraud = rng.float() < FRAUD;
  const customer = region === 2 ? islands : mainland;
  // A thief hides: a part of the fraud looks like the customer in all but a few habits.
  const careful = fraud && rng.float() < 0.3;
  const habit = fraud ? thief : customer;
  const look = careful ? customer : habit;
  const amount = Math.exp(look.logAmount[0] + look.logAmount[1] * rng.normal());
  const hour = rng.float() < habit.night ? rng.int(6) : Math.min(23, Math.max(6, Math.round(14 + 4 * rng.normal())));
  const channel = pick(rng, look.channel);
  const present = channel < 2;
  const perHour = poisson(rng, careful ? 0.8 : habit.perHour);
  const gap = Math.exp((perHour > 0 ? 2.6 : 6) + 0.9 * rng.normal());
  return [
    `t${String(index + 1).padStart(6, "0")}`,
    Math.max(0.5, amount).toFixed(2),
    String(hour),
    categories[pick(rng, look.category)]!,
    channels[channel]!,
    countries[pick(rng, look.country)]!,
    Math.exp(look.logDistance[0] + look.logDistance[1] * rng.normal()).toFixed(1),
    String(Math.max(1, Math.round(Math.min(gap, 20_000)))),
    String(perHour),
    String(Math.round(30 + 1500 * rng.float() ** 1.5)),
    present && channel === 0 && rng.float() < (fraud ? 0.5 : 0.95) ? "yes" : "no",
    regions[region]!,
    fraud ? "yes" : "no",
  ];
}
