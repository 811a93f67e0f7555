import { throwIfCancelled } from "../../errors.ts";
import type { Attack } from "../attack.ts";
import { byFormat, type CanarySubject } from "./canary-subject.ts";
import { candidateTree, type Beginning, type CandidateTree } from "./candidate-tree.ts";
import { CostQueue } from "./cost-queue.ts";

export interface ExtractOptions {
  readonly budget: number;
}

/** What a search for the secrets of one format found. */
export interface Extraction {
  readonly format: string;
  /** Canaries of this format, and which of them came out. */
  readonly canaries: readonly string[];
  readonly extracted: readonly string[];
  /** The cheapest texts, in order, each proven to be cheaper than all that follow: as many as the format has canaries. */
  readonly found: readonly {
    /** The canary that it is; null for a text that nobody planted, which may be a person's. */
    readonly canary: string | null;
    /** In clear for a canary; else with its holes hidden. */
    readonly text: string;
    readonly cost: number;
  }[];
  /** Questions to the model. */
  readonly asked: number;
  /** Every text that was not found costs at least so many bits. */
  readonly restAtLeast: number;
  /** False where the budget was spent before as many texts were found: nothing is said then about what comes first. */
  readonly complete: boolean;
}

/**
 * Extraction of secrets whose form is known: a best-first search through the texts of a format finds the one that the
 * model thinks likeliest, and proves that it is. Carlini et al. 2019, section 6 (shortest path, algorithm of Dijkstra).
 */
export const extract: Attack<ExtractOptions, CanarySubject, readonly Extraction[]> = {
  id: "extract",
  title: "Extraction of planted secrets",
  summary:
    "Asks a language model, which was trained on texts with planted secrets, to complete the words before a secret, and finds the completion of a given form (a card number, a code) that it thinks likeliest.",
  risk: "memorization",
  paper: {
    authors: "Carlini, Liu, Erlingsson, Kos, Song",
    year: 2019,
    title: "The Secret Sharer: Evaluating and Testing Unintended Memorization in Neural Networks",
    url: "https://arxiv.org/abs/1802.08232",
    section: "6",
  },
  differences: [
    "Beginnings that no valid number has (a wrong check digit, an area that is not issued) are never asked for.",
    "Only texts that the project planted are shown; what else comes out is hidden.",
  ],
  needs: ["scores"],
  options: {
    budget: {
      type: "int",
      default: 20_000,
      min: 1,
      max: 100_000_000,
      doc: "Questions to the model for each format, before the search is given up.",
    },
  },
  async run(context, { model, canaries, before }, { budget }) {
    const groups = byFormat(canaries);
    const out: Extraction[] = [];
    for (const { space, canaries: own } of groups) {
      const tree = candidateTree(model, space, before);
      const step = (asked: number): void =>
        context.step(
          out.length + asked / budget,
          groups.length,
          `${out.length} of ${groups.length} formats, ${asked} questions`,
        );
      const { leaves, ...rest } = await cheapest(tree, own.length, budget, context.signal, step);
      const planted = new Map(own.map((c) => [c.text, c.id]));
      const found = leaves.map(({ text, bits }) => {
        const canary = planted.get(text) ?? null;
        return { canary, text: canary === null ? space.mask(text) : text, cost: bits };
      });
      const extracted = found.flatMap(({ canary }) => canary ?? []);
      out.push({ format: space.format, canaries: own.map((c) => c.id), extracted, found, ...rest });
      context.step(out.length, groups.length);
    }
    return out;
  },
};

/**
 * Beginnings that are expanded in one run of the model, few at first: a secret that was learned well needs a question for
 * each of its digits, and no more.
 */
const together = (asked: number): number => Math.min(64, 1 + Math.floor(asked / 4));

/** The `count` cheapest leaves of a tree, cheapest first. A leaf that leaves the queue first is cheaper than all others. */
export async function cheapest(
  tree: CandidateTree,
  count: number,
  budget: number,
  signal: AbortSignal,
  step: (asked: number) => void = () => undefined,
): Promise<{ leaves: Beginning[]; asked: number; restAtLeast: number; complete: boolean }> {
  const queue = new CostQueue<Beginning>((node) => node.bits);
  queue.push(tree.root);
  const leaves: Beginning[] = [];
  let asked = 0;
  const result = (complete: boolean) => ({
    leaves,
    asked,
    restAtLeast: queue.peek()?.bits ?? Infinity,
    complete,
  });
  for (;;) {
    throwIfCancelled(signal);
    const group: Beginning[] = [];
    const most = together(asked);
    for (;;) {
      const next = queue.peek();
      if (next === undefined || group.length === most) break;
      if (!tree.isWhole(next)) group.push(queue.pop()!);
      // A leaf is proven only while nothing cheaper is still open.
      else if (group.length > 0) break;
      else {
        leaves.push(queue.pop()!);
        if (leaves.length === count) return result(true);
      }
    }
    if (group.length === 0) return result(leaves.length === count);
    if (asked + group.length > budget) {
      group.forEach((node) => queue.push(node));
      return result(false);
    }
    asked += group.length;
    for (const children of await tree.expand(group)) children.forEach((child) => queue.push(child));
    step(asked);
  }
}
