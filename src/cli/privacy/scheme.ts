import { InvalidArgumentError, Option, type Command } from "commander";
import { MarauderError } from "../../errors.ts";
import { parseNumber } from "../../options.ts";
import * as dp from "../../privacy/index.ts";
import { numberValue, positiveInteger } from "../flags.ts";

export const samplers = ["poisson", "truncated", "fixed-size", "shuffle", "none"] as const;
export type Sampler = (typeof samplers)[number];

/** A sampling rate; of "256/60000" the two numbers are kept, since they say how many records there are. */
export interface Rate {
  readonly value: number;
  readonly batch: number | null;
  readonly records: number | null;
}

export interface SchemeFlags {
  rate?: Rate;
  sigma?: number;
  steps?: number;
  delta: number;
  adjacency?: dp.Adjacency;
  sampler: Sampler;
  cap?: number;
  records?: number;
  json?: boolean;
}

export function rateValue(text: string): Rate {
  const value = parseNumber(text);
  if (!(value >= 0 && value <= 1))
    throw new InvalidArgumentError(`expected a sampling rate from 0 to 1, such as 0.01 or 256/60000; got "${text}".`);
  const parts = text.split("/").map(Number);
  const whole = parts.length === 2 && parts.every((n) => Number.isSafeInteger(n) && n > 0);
  return { value, batch: whole ? parts[0]! : null, records: whole ? parts[1]! : null };
}

function noiseValue(text: string): number {
  const value = numberValue(text);
  if (value < 0) throw new InvalidArgumentError(`expected noise from 0, got "${text}".`);
  return value;
}

export function addSchemeFlags(command: Command): Command {
  return command
    .option("--rate <q>", "sampling rate of a record in a step, as a number or batch/records", rateValue)
    .option("--sigma <s>", "noise multiplier: standard deviation over the clip norm of one record", noiseValue)
    .option("--steps <t>", "number of steps", positiveInteger)
    .requiredOption("--delta <d>", "delta of the statement, below one over the number of records", numberValue)
    .addOption(
      new Option(
        "--adjacency <relation>",
        "what neighbouring data sets are (default: add-or-remove for Poisson batches, else zero-out)",
      ).choices(dp.adjacencies),
    )
    .addOption(new Option("--sampler <how>", "how batches are drawn").choices([...samplers]).default("poisson"))
    .option("--cap <n>", "truncated: largest batch", positiveInteger)
    .option("--records <n>", "number of records, where --rate is not a fraction", positiveInteger)
    .option("--json", "print JSON");
}

export interface Scheme {
  readonly rate: Rate;
  readonly sigma: number;
  readonly steps: number;
}

export const adjacencyOf = ({ adjacency, sampler }: SchemeFlags): dp.Adjacency =>
  adjacency ?? (sampler === "poisson" || sampler === "truncated" ? "add-or-remove" : "zero-out");

/** Refuses a delta that allows publishing a record outright. */
export function checkDelta(delta: number, records: number | null): void {
  if (!(delta > 0 && delta < 1))
    throw new MarauderError("USAGE", `--delta must be between 0 and 1 (excluded), got ${delta}; usual is 1e-5`);
  if (records !== null && delta >= 1 / records)
    throw new MarauderError(
      "USAGE",
      `--delta ${delta} is not below 1/${records}: publishing one record of the ${records} at random would satisfy it; ` +
        `give at most ${(0.1 / records).toPrecision(2)}`,
    );
}

/** The event of a training run. Throws USAGE for flags that do not fit together. */
export function eventOf({ rate, sigma, steps }: Scheme, flags: SchemeFlags): dp.DpEvent {
  const noise = dp.gaussian(sigma);
  const records = flags.records ?? rate.records;
  switch (flags.sampler) {
    case "poisson":
      return dp.repeated(dp.poissonSampled(rate.value, noise), steps);
    case "truncated": {
      if (flags.cap === undefined)
        throw new MarauderError("USAGE", "--sampler truncated needs --cap, the largest batch");
      const event = dp.truncatedPoissonSampled(rate.value, flags.cap, needRecords(records, "truncated"), noise);
      return dp.repeated(event, steps);
    }
    case "fixed-size": {
      const n = needRecords(records, "fixed-size");
      const batch = rate.records === n && rate.batch !== null ? rate.batch : Math.round(rate.value * n);
      return dp.repeated(dp.fixedSizeSampled(batch, n, noise), steps);
    }
    default:
      // No amplification: a record takes part once in each pass over the data.
      return dp.repeated(noise, passes(rate.value, steps));
  }
}

/** How often a record takes part when batches go through the data in turn. */
export const passes = (rate: number, steps: number): number => Math.max(1, Math.ceil(rate * steps - 1e-9));

function needRecords(records: number | null | undefined, sampler: string): number {
  if (records != null) return records;
  throw new MarauderError(
    "USAGE",
    `--sampler ${sampler} needs the number of records: give --rate as 256/60000, or --records`,
  );
}

/** Infinity as text, since JSON has no such number. */
export const jsonNumber = (value: number | null): number | string | null => (value === Infinity ? "Infinity" : value);
