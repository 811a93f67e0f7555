import { balls } from "./balls.ts";
import { layoutOf, type Layout, type Proposal, proposeL2, proposeLinf, startL2, startLinf } from "./square-windows.ts";
import { type EvasionAttack, pack } from "./subject.ts";
import { beat, streams } from "./walk.ts";

export interface SquareOptions {
  readonly queries: number;
  readonly pInit: number;
  readonly restarts: number;
}

/** Square attack. Andriushchenko et al. 2020, algorithms 1 to 3. */
export const square: EvasionAttack<SquareOptions> = {
  id: "square",
  title: "Square attack",
  summary:
    "Random search that sees only scores: proposes a changed square at a random place and keeps it when the margin shrinks. Blind to masked gradients.",
  risk: "evasion",
  paper: {
    authors: "Andriushchenko, Croce, Flammarion, Hein",
    year: 2020,
    title: "Square attack: a query-efficient black-box adversarial attack via random search",
    url: "https://arxiv.org/abs/1912.00049",
    section: "3, algorithms 1 to 3",
  },
  differences: [
    "places and colours are drawn for each example on its own",
    "a square may also lie at the last row and column",
    "inputs without two spatial axes (for l2: of at least 10 pixels), and inputs with features that may not change: a random subset of the features stands in for the square",
    "a proposal that changes nothing is drawn again, up to 8 times",
  ],
  needs: ["scores"],
  norms: ["linf", "l2"],
  options: {
    queries: {
      type: "int",
      default: 5000,
      min: 1,
      max: 10_000_000,
      doc: "Questions to the model for each example and restart.",
    },
    pInit: {
      type: "float",
      default: 0.8,
      min: 1e-6,
      max: 1,
      doc: "Share of the features that the first squares cover; it shrinks over the run as in section 5 of the paper.",
    },
    restarts: { type: "int", default: 1, min: 1, max: 10_000, doc: "Runs from new random starts." },
  },
  async run(context, subject, options) {
    const { d, size, norm } = subject;
    const layout = layoutOf(subject);
    const total = options.restarts * options.queries;
    const buffer = new Float32Array(size * d);
    for (let restart = 0; restart < options.restarts; restart++) {
      const rngs = streams(context.rng, subject, restart);
      const best = subject.x.slice();
      const margin = new Float32Array(size).fill(-Infinity);
      for (let query = 0; query < options.queries; query++) {
        beat(context, restart * options.queries + query, total);
        const rows = subject.open();
        if (rows.length === 0) return;
        const z = pack(best, rows, d, buffer);
        const share = shareAt(query, options.queries, options.pInit);
        for (let k = 0; k < rows.length; k++) {
          const i = rows[k]!;
          propose(layout, norm, query, share, {
            z,
            zo: k * d,
            x: subject.x,
            xo: i * d,
            eps: subject.eps,
            rng: rngs[i]!,
          });
          balls[norm].project(z, k * d, subject.x, i * d, d, subject.eps, subject.space);
        }
        const seen = await subject.ask(rows, z);
        for (let k = 0; k < rows.length; k++) {
          const i = rows[k]!;
          // Before the first finite answer anything is better; a NaN never is.
          if (!(seen[k]! > margin[i]!)) continue;
          margin[i] = seen[k]!;
          best.set(z.subarray(k * d, (k + 1) * d), i * d);
        }
      }
    }
    beat(context, total, total);
  },
};

function propose(layout: Layout, norm: string, query: number, share: number, at: Proposal): void {
  if (norm === "linf") {
    if (query === 0) startLinf(layout, at);
    else proposeLinf(layout, share, at);
  } else if (query === 0) startL2(layout, at);
  else proposeL2(layout, share, at);
}

/** The share of the features that a square covers halves at 10, 50, 200, 500, 1000, 2000, 4000, 6000 and 8000 of 10,000 queries. */
export function shareAt(query: number, queries: number, pInit: number): number {
  const at = Math.floor((query / queries) * 10_000);
  let share = pInit;
  for (const mark of [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000]) if (at > mark) share /= 2;
  return share;
}
