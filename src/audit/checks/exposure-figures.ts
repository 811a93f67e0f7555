import type { CanaryExposureEvidence, SeriesDetail } from "../../contract/index.ts";
import { familiesOf, levelsOf, repetitionsOf, times } from "./exposure-levels.ts";

/** Mean exposure of a secret that the model knows nothing of: -log2 of a uniform rank, 1 / ln 2 bits. */
export const CHANCE = Math.LOG2E;

type Series = SeriesDetail["series"][number];

/** The canary figure: exposure against repetitions, a line for each model, one figure for each form of secret. */
export function repetitionFigures(evidence: CanaryExposureEvidence): SeriesDetail[] {
  return familiesOf(evidence).flatMap((family): SeriesDetail[] => {
    const planted = repetitionsOf(evidence, family).filter((k) => k > 0);
    if (planted.length < 2) return [];
    const { spaceBits } = evidence.canaries.find((c) => c.family === family)!;
    const [from, to] = [planted[0]!, planted.at(-1)!];
    return [
      {
        type: "series",
        caption: `Exposure of "${family}" against how often it was planted in ${evidence.records.toLocaleString("en")} records. At ${spaceBits.toFixed(1)} bits the secret comes first of all texts of its form: who asks gets it.`,
        x: { label: "times planted", scale: "log", domain: [from, to] },
        y: { label: "exposure, bits", scale: "linear", domain: [0, Math.ceil(spaceBits)] },
        series: [
          ...evidence.models.map(({ title }, model): Series => ({
            name: title,
            style: "line",
            points: levelsOf(evidence, model, family)
              .filter((l) => l.repetitions > 0)
              .map(({ repetitions, mean }) => ({ x: repetitions, y: mean.value, low: mean.low, high: mean.high })),
          })),
          flat("extracted by enumeration", spaceBits, from, to),
          flat("guessing", CHANCE, from, to),
        ],
      },
    ];
  });
}

/** Exposure against epochs, a line for each number of repetitions, where models of several epochs stand side by side. */
export function epochFigure(evidence: CanaryExposureEvidence): SeriesDetail[] {
  const trained = evidence.models
    .map(({ epochs, epsilon }, model) => ({ epochs, epsilon, model }))
    .filter((m): m is typeof m & { epochs: number } => m.epochs !== null && m.epsilon === null)
    .toSorted((a, b) => a.epochs - b.epochs);
  if (new Set(trained.map((m) => m.epochs)).size < 3) return [];
  const { spaceBits } = levelsOf(evidence, 0)[0]!;
  const levels = trained.map(({ epochs, model }) => ({ epochs, levels: levelsOf(evidence, model) }));
  const [from, to] = [trained[0]!.epochs, trained.at(-1)!.epochs];
  return [
    {
      type: "series",
      caption: "Exposure against epochs of plain training, by how often the secret was planted",
      x: { label: "epochs", scale: "linear", domain: [from, to] },
      y: { label: "exposure, bits", scale: "linear", domain: [0, Math.ceil(spaceBits)] },
      series: repetitionsOf(evidence).map((k): Series => ({
        name: k === 0 ? "never planted" : `planted ${times(k)}`,
        style: k === 0 ? "dashed" : "line",
        points: levels.flatMap(({ epochs, levels: own }) =>
          own
            .filter((l) => l.repetitions === k)
            .map(({ mean }) => ({ x: epochs, y: mean.value, low: mean.low, high: mean.high })),
        ),
      })),
    },
  ];
}

const flat = (name: string, y: number, from: number, to: number): Series => ({
  name,
  style: "dashed",
  points: [
    { x: from, y },
    { x: to, y },
  ],
});
