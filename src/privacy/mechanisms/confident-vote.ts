import { MarauderError } from "../../errors.ts";
import type { DpEvent } from "../events.ts";
import { gaussianMechanism } from "./additive.ts";
import { secureSource, type NoiseSource } from "./source.ts";

export interface ConfidentVoteSpec {
  readonly classes: number;
  /** In votes: see PateNoise. */
  readonly threshold: number;
  readonly thresholdSigma: number;
  readonly sigma: number;
  readonly source?: NoiseSource;
}

/** Confident GNMax (Papernot et al. 2018, algorithm 1), with exact discrete Gaussian noise. */
export interface ConfidentVote {
  /** True when the teachers seem sure. Costs `asking`, whatever comes of it: charge it before. */
  sure(votes: ArrayLike<number>): boolean;
  /** The class that seems to have most votes. Costs `answering`: charge it before. */
  answer(votes: ArrayLike<number>): number;
  readonly asking: DpEvent;
  readonly answering: DpEvent;
  /** "system", or "NOT PRIVATE: seeded noise". */
  readonly noise: string;
  /** Step of the noise's grid, in votes. */
  readonly grid: number;
}

export function confidentVote(spec: ConfidentVoteSpec): ConfidentVote {
  const { classes, threshold, thresholdSigma, sigma, source = secureSource() } = spec;
  if (!(Number.isSafeInteger(classes) && classes >= 2))
    throw new MarauderError("OPTION_RANGE", `a vote needs two classes or more, got ${classes}`);
  if (!Number.isFinite(threshold))
    throw new MarauderError(
      "OPTION_RANGE",
      `the threshold of a vote must be a finite number of votes, got ${threshold}`,
    );
  const largest = gaussianMechanism({ noise: thresholdSigma, sensitivity: 1, source });
  const counts = gaussianMechanism({ noise: sigma, sensitivity: Math.SQRT2, dimension: classes, source });
  return {
    sure(votes) {
      let top = 0;
      for (let i = 0; i < votes.length; i++) top = Math.max(top, votes[i]!);
      return largest.release([top])[0]! >= threshold;
    },
    answer(votes) {
      const noisy = counts.release(votes);
      return noisy.reduce((best, v, i) => (v > noisy[best]! ? i : best), 0);
    },
    asking: largest.event,
    answering: counts.event,
    noise: source.label,
    grid: Math.max(counts.grid, largest.grid),
  };
}
