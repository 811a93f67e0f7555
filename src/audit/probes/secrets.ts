import { exposure, extract, type ExposureOptions, type ExtractOptions } from "../../attacks/memorization/index.ts";
import type { RunContext } from "../../context.ts";
import type { CanaryExposureResult, CanaryExtractionResult, CanaryRow } from "../../contract/index.ts";
import { spacesOf, type Canary } from "../../data/index.ts";
import type { LanguageSubject, Probe } from "../probe.ts";

const rowsOf = (canaries: readonly Canary[]): CanaryRow[] => {
  const spaces = spacesOf(canaries);
  return canaries.map(({ id, family, repetitions, format }) => ({
    id,
    family,
    repetitions,
    spaceBits: round(spaces.get(format)!.bits),
  }));
};

const round = (x: number): number => Number(x.toPrecision(9));

/** The same attack on every model, each with the same random numbers. */
async function forEachModel<R>(
  context: RunContext,
  { models }: LanguageSubject,
  run: (target: LanguageSubject["models"][number]["target"], context: RunContext) => Promise<R>,
): Promise<{ title: string; epochs: number | null; epsilon: number | null; result: R }[]> {
  const out = [];
  for (const [i, { title, epochs, epsilon, target }] of models.entries()) {
    const step: RunContext["step"] = (done, of, note) =>
      context.step(i * of + done, models.length * of, models.length > 1 ? `${title}: ${note ?? ""}` : note);
    out.push({ title, epochs, epsilon, result: await run(target, { ...context, step }) });
  }
  return out;
}

/** Ranks the planted secrets, and those that were planted nowhere, under the model and those it is compared with. */
export const exposureProbe: Probe<ExposureOptions, CanaryExposureResult> = {
  id: exposure.id,
  risk: "memorization",
  on: "language model",
  title: exposure.title,
  makes: "canary-exposure",
  options: exposure.options,
  quick: { references: 4096, exactUpTo: 10_000, searchBudget: 512, guided: 128 },
  applies: () => null,
  async run(context, { language }, options) {
    const { canaries, before, manifest } = language!;
    const models = await forEachModel(context, language!, (model, own) =>
      exposure.run(own, { model, canaries, before }, options),
    );
    return {
      kind: "canary-exposure",
      records: manifest.records,
      canaries: rowsOf(canaries),
      models: models.map(({ result, ...model }) => ({
        ...model,
        exposures: result.map(({ bits, low, high, method, rank, cost, fit }) => ({
          bits: round(bits),
          low: round(low),
          high: round(high),
          method,
          rank,
          cost: round(cost),
          fit: fit === null ? null : round(fit.p),
        })),
      })),
    };
  },
};

interface ExtractProbeOptions extends ExtractOptions {
  readonly each: number;
}

/** Searches for planted secrets and for controls, a few of every form and number of repetitions. */
export const extractProbe: Probe<ExtractProbeOptions, CanaryExtractionResult> = {
  id: extract.id,
  risk: "memorization",
  on: "language model",
  title: extract.title,
  makes: "canary-extraction",
  options: {
    budget: {
      type: "int",
      default: 4000,
      min: 1,
      max: 100_000_000,
      doc: "Questions to the model for each form, before the search is given up.",
    },
    each: {
      type: "int",
      default: 3,
      min: 1,
      max: 100_000,
      doc: "Canaries that are searched for, of each form and number of repetitions.",
    },
  },
  quick: { budget: 500, each: 1 },
  applies: () => null,
  async run(context, { language }, { budget, each }) {
    const { before } = language!;
    const canaries = someOf(language!.canaries, each);
    const models = await forEachModel(context, language!, (model, own) =>
      extract.run(own, { model, canaries, before }, { budget }),
    );
    return {
      kind: "canary-extraction",
      budget,
      canaries: rowsOf(canaries),
      models: models.map(({ result, ...model }) => ({
        ...model,
        searches: result.map(({ canaries: own, extracted, found, asked, complete }) => ({
          canaries: own,
          extracted,
          first:
            found.length === 0 ? null : { text: found[0]!.text, canary: found[0]!.canary, cost: round(found[0]!.cost) },
          asked,
          complete,
        })),
      })),
    };
  },
};

/** The first few of each family and number of repetitions. */
function someOf(canaries: readonly Canary[], each: number): Canary[] {
  const taken = new Map<string, number>();
  return canaries.filter(({ family, repetitions }) => {
    const key = `${repetitions} ${family}`;
    const n = (taken.get(key) ?? 0) + 1;
    taken.set(key, n);
    return n <= each;
  });
}
