import { attempt, type Attempt } from "../../attacks/evasion/attempt.ts";
import { share } from "../../attacks/evasion/frame.ts";
import type { Examples } from "../../attacks/evasion/examples.ts";
import { apgdCe, fgsm, pgd, randomNoise, square, type EvasionAttack, type Norm } from "../../attacks/evasion/index.ts";
import type { Terrain } from "../../attacks/evasion/terrain.ts";
import type { RunContext } from "../../context.ts";
import type { EvasionAttackRow, EvasionEvidence } from "../../contract/evidence/evasion.ts";
import { resolveOptions } from "../../options.ts";

export interface WorstCaseSettings {
  readonly norm: Norm;
  readonly reference: number;
  readonly pgdSteps: number;
  readonly apgdSteps: number;
  readonly squareQueries: number;
  readonly noiseDraws: number;
}

/** The best find for each example: the smallest budget at which it was fooled, and the input that did it. */
export interface WorstCase {
  /** Budgets in ascending order. */
  readonly budgets: readonly number[];
  /** Smallest budget that fooled each example, as index into `budgets`; -1 where none did. */
  readonly fooledAt: Int32Array;
  /** Raw inputs that fool, else clean ones; shape [examples, d]. */
  readonly found: Float32Array;
  readonly adversarial: Int32Array;
  readonly distance: Float64Array;
  readonly attacks: readonly EvasionAttackRow[];
  readonly fooledUnrounded: number;
  readonly whiteBox: boolean;
  readonly health: EvasionEvidence["health"];
}

/** Budgets as multiples of the reference; index 2 is the reference itself. */
const factors = [0.25, 0.5, 1, 2];
const referenceIndex = 2;

const kinds: Readonly<Record<string, EvasionAttackRow["kind"]>> = { "random-noise": "control", square: "scores" };

/**
 * Worst case over all attacks, example by example, for a grid of budgets. The reference comes first, with every attack.
 * Then smaller budgets for what was fooled, in turn, and the larger one for what held: an example that is fooled within
 * a budget is fooled within any larger one, so nothing is attacked whose answer is known.
 */
export async function worstCase(
  examples: Examples,
  terrain: Terrain,
  settings: WorstCaseSettings,
  context: RunContext,
): Promise<WorstCase> {
  const { target, labels, predicted, d } = examples;
  const { norm, reference } = settings;
  const count = labels.length;
  const whiteBox = target.can.has("gradient");
  const given: Record<string, Record<string, unknown>> = {
    pgd: { steps: settings.pgdSteps, relStep: Math.min(1, 2.5 / settings.pgdSteps) },
    "apgd-ce": { steps: settings.apgdSteps },
    square: { queries: settings.squareQueries },
    "random-noise": { draws: settings.noiseDraws, shape: "corners" },
  };
  const best = {
    fooledAt: new Int32Array(count).fill(-1),
    found: examples.raw.slice(),
    adversarial: predicted.slice(),
    distance: new Float64Array(count).fill(NaN),
  };
  const usable = (attack: EvasionAttack<never>): boolean =>
    attack.norms.includes(norm) && attack.needs.every((need) => target.can.has(need));
  let stage = 0;
  const stages = 14;
  const run = async (
    attack: EvasionAttack<never>,
    eps: number,
    only: Int32Array,
    extra: Record<string, unknown> = {},
  ): Promise<Attempt> => {
    const options = resolveOptions<Record<string, unknown>>(
      attack.options,
      { ...given[attack.id], ...extra },
      attack.id,
    );
    const own: RunContext = {
      rng: context.rng.child(`eps ${eps}`),
      signal: context.signal,
      step: (done, of) =>
        context.step(
          Math.floor(100 * (stage + done / Math.max(of, 1))),
          100 * stages,
          `${attack.id} at eps ${Number(eps.toPrecision(3))}`,
        ),
    };
    const tried = await attempt(
      attack as unknown as EvasionAttack,
      examples,
      { norm, eps, options, terrain, only, goals: null },
      own,
    );
    stage = Math.min(stage + 1, stages - 1);
    return tried;
  };
  const keep = (tried: Attempt, budget: number): void => {
    tried.only.forEach((i, k) => {
      if (tried.fooled[k] === 0) return;
      const known = best.fooledAt[i]!;
      if (known >= 0 && (known < budget || best.distance[i]! <= tried.distance[k]!)) return;
      best.fooledAt[i] = budget;
      best.found.set(tried.found.subarray(k * d, (k + 1) * d), i * d);
      best.adversarial[i] = tried.adversarial[k]!;
      best.distance[i] = tried.distance[k]!;
    });
  };
  const budgets = factors.map((factor) => factor * reference);
  const correct = Int32Array.from(labels.keys()).filter((i) => labels[i] === predicted[i]);
  const holding = (): Int32Array => correct.filter((i) => best.fooledAt[i]! < 0);

  const attacks: EvasionAttackRow[] = [];
  const unrounded = new Set<number>();
  const flags = { saturated: 0, flat: 0, notFinite: 0 };
  const winners = new Map<string, Set<number>>();
  // The control, one step and many steps on all, so that they can be compared; the costly ones on what they left.
  for (const [attack, on] of [
    [randomNoise, "all"],
    [fgsm, "all"],
    [pgd, "all"],
    [apgdCe, "survivors"],
    [square, "survivors"],
  ] as const) {
    if (!usable(attack as EvasionAttack<never>)) continue;
    // apgd-ce also sees what noise alone had fooled, or nobody would know whether gradients find it too.
    const lost = (i: number): boolean => ["fgsm", "pgd"].some((id) => winners.get(id)?.has(i));
    const only = on === "all" ? correct : attack === apgdCe ? correct.filter((i) => !lost(i)) : holding();
    const tried = await run(attack as EvasionAttack<never>, reference, only);
    keep(tried, referenceIndex);
    const won = tried.only.filter((_, k) => tried.fooled[k] === 1);
    winners.set(attack.id, new Set(won));
    tried.only.forEach((i, k) => {
      if (tried.fooledUnrounded[k] === 1) unrounded.add(i);
    });
    if (attack.id === "pgd") Object.assign(flags, { saturated: tried.saturated, flat: tried.flat });
    flags.notFinite = Math.max(flags.notFinite, tried.notFinite);
    attacks.push({
      attack: attack.id,
      title: attack.title,
      kind: kinds[attack.id] ?? "gradient",
      attacked: only.length,
      on,
      fooled: won.length,
      successRate: share(won.length, only.length),
      ...tried.spent,
    });
  }
  const wonBy = (...ids: readonly string[]): Set<number> => new Set(ids.flatMap((id) => [...(winners.get(id) ?? [])]));
  const byGradient = wonBy("fgsm", "pgd", "apgd-ce");
  const withoutGradient = [...wonBy("random-noise", "square")].filter((i) => !byGradient.has(i));
  const onlyByScores = whiteBox ? withoutGradient.length : 0;
  const onlyByOneStep = [...(winners.get("fgsm") ?? [])].filter((i) => !winners.get("pgd")?.has(i)).length;

  const strongest: EvasionAttack<never>[] = [pgd, apgdCe, square].map((a) => a as EvasionAttack<never>).filter(usable);
  /** Square again only where scores did what gradients could not: it costs many times more. */
  const worth = (attack: EvasionAttack<never>): boolean =>
    attack.id !== "square" || !whiteBox || withoutGradient.length > 0;
  for (const budget of [1, 0]) {
    const before = correct.filter((i) => best.fooledAt[i] === budget + 1);
    for (const attack of strongest.filter(worth)) {
      const only = before.filter((i) => best.fooledAt[i] === budget + 1);
      if (only.length > 0) keep(await run(attack, budgets[budget]!, only), budget);
    }
  }
  for (const attack of strongest.filter(worth)) {
    const only = holding();
    if (only.length > 0) keep(await run(attack, budgets[3]!, only), 3);
  }
  const wholeRange = whiteBox ? await attackWithWholeRange(holding(), terrain, settings, run) : null;
  return {
    budgets,
    ...best,
    attacks,
    fooledUnrounded: unrounded.size,
    whiteBox,
    health: { looked: whiteBox ? correct.length : 0, ...flags, onlyByScores, onlyByOneStep, wholeRange },
  };
}

/** With the whole input range to spend, an attack by gradient that works fools everything; what it leaves points at masking. */
async function attackWithWholeRange(
  holding: Int32Array,
  terrain: Terrain,
  settings: WorstCaseSettings,
  run: (
    attack: EvasionAttack<never>,
    eps: number,
    only: Int32Array,
    extra?: Record<string, unknown>,
  ) => Promise<Attempt>,
): Promise<EvasionEvidence["health"]["wholeRange"]> {
  if (holding.length === 0) return { attacked: 0, held: 0 };
  const growth = settings.norm === "linf" ? 1 : settings.norm === "l2" ? Math.sqrt(terrain.free) : terrain.free;
  const tried = await run(pgd as EvasionAttack<never>, terrain.range * growth, holding, {
    loss: "margin",
    restarts: 2,
  });
  return { attacked: holding.length, held: holding.length - tried.fooled.reduce((sum, flag) => sum + flag, 0) };
}
