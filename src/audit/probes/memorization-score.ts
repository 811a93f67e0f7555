import { memorizationScore, type MemorizationScoreOptions } from "../../attacks/memorization/index.ts";
import type { MemorizationScoreResult } from "../../contract/index.ts";
import type { Probe } from "../probe.ts";

/** Counts, for every training row, how often models with and without it get it right. */
export const memorizationScoreProbe: Probe<MemorizationScoreOptions, MemorizationScoreResult> = {
  id: memorizationScore.id,
  risk: "memorization",
  title: memorizationScore.title,
  makes: "memorization-scores",
  options: memorizationScore.options,
  quick: { subsets: 100, maxRows: 500 },
  applies({ train }, { maxRows, subsets }) {
    if (train === null) return "needs the training data: give --train";
    if (train.size > maxRows) {
      return `it would train ${subsets} models on most of ${train.size} rows: raise its option maxRows (${maxRows}) if you can wait`;
    }
    if (train.labels === null) return "needs the labels of the training data";
    return null;
  },
  async run(context, subject, options) {
    const train = subject.train!;
    const counts = await memorizationScore.run(
      context,
      { train, arch: subject.arch, trainer: subject.trainer },
      options,
    );
    const round = (p: number): number => Number(p.toFixed(6));
    return {
      kind: "memorization-scores",
      subsets: options.subsets,
      fraction: options.fraction,
      arch: subject.arch,
      classNames: train.classNames,
      rows: train.rowIds.map((id, i) => ({
        id,
        label: train.labels![i]!,
        inside: counts.inside[i]!,
        insideCorrect: counts.insideCorrect[i]!,
        outside: counts.outside[i]!,
        outsideCorrect: counts.outsideCorrect[i]!,
        insideProbability: round(counts.insideProbability[i]!),
        outsideProbability: round(counts.outsideProbability[i]!),
      })),
    };
  },
};
