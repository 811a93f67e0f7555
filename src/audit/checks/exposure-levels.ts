import type { CanaryExposureEvidence, Interval } from "../../contract/index.ts";
import { seeded } from "../../random/index.ts";
import { bootstrap, mean } from "../../stats/index.ts";

/** The canaries of one number of repetitions under one model. */
export interface Level {
  readonly repetitions: number;
  readonly n: number;
  readonly sum: number;
  readonly mean: Interval;
  readonly spaceBits: number;
}

type Canaries = Pick<CanaryExposureEvidence, "canaries">;

export const times = (n: number): string => (n === 0 ? "never" : n === 1 ? "once" : n === 2 ? "twice" : `${n} times`);

/** The family with the most canaries: exposures of spaces of different size have no common mean. */
function mainFamily({ canaries }: Canaries): string {
  const counts = new Map<string, number>();
  for (const { family } of canaries) counts.set(family, (counts.get(family) ?? 0) + 1);
  return [...counts].toSorted((a, b) => b[1] - a[1])[0]?.[0] ?? "";
}

export const familiesOf = ({ canaries }: Canaries): string[] => [...new Set(canaries.map((c) => c.family))];

export function repetitionsOf(evidence: Canaries, family = mainFamily(evidence)): number[] {
  const own = evidence.canaries.filter((c) => c.family === family);
  return [...new Set(own.map((c) => c.repetitions))].toSorted((a, b) => a - b);
}

/** Enough for an interval that is printed with one decimal, and quick where many models stand side by side. */
const RESAMPLES = 400;
const known = new WeakMap<CanaryExposureEvidence, Map<string, readonly Level[]>>();

/** Mean exposure by repetitions of one family under one model; worked out once. */
export function levelsOf(
  evidence: CanaryExposureEvidence,
  model: number,
  family = mainFamily(evidence),
): readonly Level[] {
  const all = known.get(evidence) ?? new Map<string, readonly Level[]>();
  known.set(evidence, all);
  const key = `${model} ${family}`;
  const levels = all.get(key) ?? makeLevels(evidence, model, family);
  all.set(key, levels);
  return levels;
}

/** With bootstrap intervals over canaries (their random numbers are fixed by the level). */
function makeLevels(evidence: CanaryExposureEvidence, model: number, family: string): Level[] {
  const { canaries, models } = evidence;
  const { exposures } = models[model]!;
  return repetitionsOf(evidence, family).map((repetitions) => {
    const own = exposures.filter((_, i) => canaries[i]!.family === family && canaries[i]!.repetitions === repetitions);
    const bits = own.map((e) => e.bits);
    const value = mean(bits);
    const rng = seeded("exposure").child(repetitions);
    const interval: Interval =
      own.length >= 3
        ? bootstrap(own.length, (rows) => mean(Array.from(rows, (i) => bits[i]!)), rng, { resamples: RESAMPLES })
        : { value, low: Math.min(...own.map((e) => e.low)), high: Math.max(...own.map((e) => e.high)) };
    const spaceBits = canaries.find((c) => c.family === family)!.spaceBits;
    return { repetitions, n: own.length, sum: bits.reduce((a, b) => a + b, 0), mean: interval, spaceBits };
  });
}
