import type { CandidateSpace, Canary } from "../../data/text/index.ts";
import { throwIfCancelled } from "../../errors.ts";
import type { RunContext } from "../../context.ts";
import { textBits } from "../../target/index.ts";
import type { Attack } from "../attack.ts";
import { byFormat, type CanarySubject, type FormatGroup } from "./canary-subject.ts";
import { candidateTree, type CandidateTree } from "./candidate-tree.ts";
import { cheaperByGuide } from "./guided-rank.ts";
import {
  enoughCheaper,
  exposureFrom,
  fitLaw,
  leavesUpTo,
  placeAmong,
  type ExposureEstimate,
  type ReferenceLaw,
} from "./reference-costs.ts";

export interface ExposureOptions {
  readonly references: number;
  readonly exactUpTo: number;
  readonly searchBudget: number;
  readonly guided: number;
}

/** What a model has taken in of one canary. */
export interface CanaryExposure extends ExposureEstimate {
  readonly id: string;
  /** What the canary costs the model, in bits. */
  readonly cost: number;
  /** log2 |R|. */
  readonly spaceBits: number;
  /** Place among all candidates, from 1; null where it was estimated. */
  readonly rank: number | null;
  /** References that were drawn; 0 where the rank is exact. */
  readonly references: number;
  readonly fit: (ReferenceLaw["law"] & { readonly distance: number; readonly p: number }) | null;
}

/**
 * Exposure of planted secrets: log2 |R| - log2 rank, the bits that an attacker who asks the model is spared.
 * Carlini et al. 2019, sections 4.2 (definition 4) and 4.4 (estimates).
 */
export const exposure: Attack<ExposureOptions, CanarySubject, readonly CanaryExposure[]> = {
  id: "exposure",
  title: "Exposure of planted secrets",
  summary:
    "Ranks a planted secret among all texts of its form by what they cost a language model. A secret that was not learned stands anywhere (1.44 bits on average); one that the model gives away stands first.",
  risk: "memorization",
  paper: {
    authors: "Carlini, Liu, Erlingsson, Kos, Song",
    year: 2019,
    title: "The Secret Sharer: Evaluating and Testing Unintended Memorization in Neural Networks",
    url: "https://arxiv.org/abs/1802.08232",
    section: "4",
  },
  differences: [
    "Ranks are exact in larger spaces than a list allows where the model likes the secret: a search that cuts off what is dearer counts the cheaper candidates.",
    "Beyond the references the rank is first estimated by importance sampling along the model's predictions, which has an honest interval.",
    "Where references are drawn and enough are cheaper, the place among them is used; the skew-normal law is fitted by likelihood, tested on numbers that it was not fitted to, and used only where nothing else tells.",
    "Equal costs are put in random order, so that a model that knows nothing gives the exposure of a guess.",
  ],
  needs: ["scores"],
  options: {
    references: {
      type: "int",
      default: 65_536,
      min: 100,
      max: 10_000_000,
      doc: "References drawn from a space that is too large to be searched.",
    },
    exactUpTo: {
      type: "int",
      default: 1_000_000,
      min: 0,
      max: 100_000_000,
      doc: "Spaces of up to so many texts are ranked exactly, whatever it costs.",
    },
    searchBudget: {
      type: "int",
      default: 4096,
      min: 0,
      max: 10_000_000,
      doc: "Questions to the model that the exact rank in a larger space may cost, before references are drawn.",
    },
    guided: {
      type: "int",
      default: 512,
      min: 0,
      max: 1_000_000,
      doc: "Candidates drawn along the model's own predictions for a secret that is cheaper than all but a few references; 0 leaves it to the law.",
    },
  },
  async run(context, subject, options) {
    const groups = byFormat(subject.canaries);
    const found = new Map<string, CanaryExposure>();
    const all = subject.canaries.length;
    for (const group of groups) {
      const report = (part: number): void =>
        context.step(found.size + Math.min(part, 0.99), all, `${found.size} of ${all} canaries`);
      for (const one of await exposeGroup(context, subject, group, options, report)) found.set(one.id, one);
      context.step(found.size, all, `${found.size} of ${all} canaries`);
    }
    return subject.canaries.map(({ id }) => found.get(id)!);
  },
};

interface Costed {
  readonly canary: Canary;
  readonly cost: number;
  /** Where among equals it is put. */
  readonly u: number;
}

async function exposeGroup(
  context: RunContext,
  { model, before }: CanarySubject,
  { space, canaries }: FormatGroup,
  options: ExposureOptions,
  report: (part: number) => void,
): Promise<CanaryExposure[]> {
  const tree = candidateTree(model, space, before);
  const costs = await textBits(
    model,
    canaries.map((c) => c.text),
    before,
  );
  const costed = canaries
    .map((canary, i): Costed => ({ canary, cost: costs[i]!, u: context.rng.child("tie").child(canary.id).float() }))
    .toSorted((a, b) => a.cost - b.cost);
  const out: CanaryExposure[] = [];
  const whole = space.size <= BigInt(options.exactUpTo);
  const exactly = async (cap: number, budget: number): Promise<Float64Array | null> =>
    (await leavesUpTo(tree, cap, budget, context.signal)).costs;
  if (whole) {
    const sorted = (await exactly(costed.at(-1)!.cost, Infinity))!;
    return costed.map((c) => byRank(c, space, sorted));
  }
  // The cheapest first: where one is too dear to be counted, so are those after it.
  for (const one of costed) {
    const sorted = await exactly(one.cost, options.searchBudget);
    if (sorted === null) break;
    out.push(byRank(one, space, sorted));
  }
  const left = costed.slice(out.length);
  if (left.length === 0) return out;
  const prefix = (await textBits(model, [space.text(0n).slice(0, space.fixed)], before))[0]!;
  const drawn = await drawReferences(context, { model, before }, space, options.references, prefix, report);
  const law = fitLaw(drawn);
  const sorted = drawn.toSorted();
  for (const { canary, cost, u } of left) {
    out.push({
      id: canary.id,
      cost,
      spaceBits: space.bits,
      rank: null,
      references: drawn.length,
      fit: law === null ? null : { ...law.law, distance: law.distance, p: law.p },
      ...((await guided(context, tree, canary.id, cost, sorted, options)) ??
        exposureFrom(sorted, law, cost, space.bits, u)),
    });
  }
  return out;
}

/** Draws that must be cheaper than the secret, and the largest relative error, for the estimate to be used. */
const ENOUGH_HITS = 30;
const LARGEST_ERROR = 0.5;

/** An estimate by guided draws, for a secret that few references undercut; null where it says too little. */
async function guided(
  context: RunContext,
  tree: CandidateTree,
  id: string,
  cost: number,
  sorted: Float64Array,
  { guided: draws }: ExposureOptions,
): Promise<ExposureEstimate | null> {
  if (draws === 0 || enoughCheaper(sorted, cost)) return null;
  const { count, low, high, hits } = await cheaperByGuide(
    tree,
    cost,
    draws,
    context.rng.child("guided").child(id),
    context.signal,
  );
  if (hits < ENOUGH_HITS || high - count > LARGEST_ERROR * count) return null;
  const bits = (cheaper: number): number => Math.max(0, tree.space.bits - Math.log2(1 + cheaper));
  return { bits: bits(count), low: bits(high), high: bits(low), method: "guided" };
}

/** `sorted` holds every candidate up to the canary's own cost, itself among them. */
function byRank({ canary, cost, u }: Costed, space: CandidateSpace, sorted: Float64Array): CanaryExposure {
  // The canary is one of the candidates: its equals are the others.
  const others = without(sorted, cost);
  const rank = placeAmong(others, cost, u);
  const bits = Math.max(0, space.bits - Math.log2(rank));
  return {
    id: canary.id,
    cost,
    spaceBits: space.bits,
    rank,
    references: 0,
    fit: null,
    bits,
    low: bits,
    high: bits,
    method: "rank",
  };
}

/** The sorted costs without the one nearest to `cost`. */
function without(sorted: Float64Array, cost: number): Float64Array {
  let nearest = 0;
  for (let i = 1; i < sorted.length; i++) {
    if (Math.abs(sorted[i]! - cost) < Math.abs(sorted[nearest]! - cost)) nearest = i;
  }
  return sorted.filter((_, i) => i !== nearest);
}

const DRAWN_TOGETHER = 2048;

/** Costs of random texts of the space, in the order drawn. */
async function drawReferences(
  context: RunContext,
  { model, before }: Pick<CanarySubject, "model" | "before">,
  space: CandidateSpace,
  count: number,
  prefix: number,
  report: (part: number) => void,
): Promise<Float64Array> {
  const rng = context.rng.child("references").child(space.format);
  const costs = new Float64Array(count);
  for (let start = 0; start < count; start += DRAWN_TOGETHER) {
    throwIfCancelled(context.signal);
    const n = Math.min(DRAWN_TOGETHER, count - start);
    const texts = Array.from({ length: n }, () => space.draw(rng));
    const own = await textBits(model, texts, before, space.fixed);
    for (let i = 0; i < n; i++) costs[start + i] = prefix + own[i]!;
    report((start + n) / count);
  }
  return costs;
}
