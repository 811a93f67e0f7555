import { MarauderError } from "../errors.ts";
import type { Capability, Target } from "./target.ts";

/** What each capability gives away anyway. */
const implied: Readonly<Record<Capability, readonly Capability[]>> = {
  label: [],
  scores: ["label"],
  gradient: ["scores", "label"],
  weights: [],
  train: [],
};

/**
 * The same target with the declared capabilities only (scores imply labels, gradients imply scores), so that a
 * black-box attack cannot peek. Throws CAPABILITY_MISSING where the target does not have them; `why` of the message can
 * be given by the target (`reason` of an ONNX target).
 */
export function narrow<T extends Target>(target: T, needs: readonly Capability[]): Target {
  const missing = needs.find((need) => !target.can.has(need));
  if (missing !== undefined) {
    const reason = (target as { noGradientReason?: string | null }).noGradientReason;
    throw new MarauderError(
      "CAPABILITY_MISSING",
      `${target.id} offers no ${missing}; expected ${needs.join(", ")}, it has ${[...target.can].join(", ")}` +
        (missing === "gradient" && reason ? ` (${reason})` : "") +
        "; take an attack that needs less",
      { details: { missing } },
    );
  }
  const can: ReadonlySet<Capability> = new Set(needs.flatMap((need) => [need, ...implied[need]]));
  const refuse = (capability: Capability): never => {
    throw new MarauderError(
      "CAPABILITY_MISSING",
      `the attack asked for ${capability} of ${target.id} but declared only ${needs.join(", ")}; declare it in \`needs\``,
      { details: { missing: capability } },
    );
  };
  return Object.freeze({
    id: target.id,
    can,
    inputShape: target.inputShape,
    classes: target.classes,
    bounds: target.bounds,
    meter: target.meter,
    label: async (x) => (can.has("label") ? await target.label(x) : refuse("label")),
    scores: async (x) => (can.has("scores") ? await target.scores(x) : refuse("scores")),
    gradient: async (x, labels, loss) =>
      can.has("gradient") ? await target.gradient(x, labels, loss) : refuse("gradient"),
    close: async () => await target.close(),
  } satisfies Target);
}

/**
 * The same target with at most `maxQueries` examples. A call that would go beyond it throws BUDGET_SPENT before anything
 * is sent; what was spent so far stays usable.
 */
export function withBudget(target: Target, maxQueries: number): Target & { readonly left: () => number } {
  if (!Number.isInteger(maxQueries) || maxQueries < 0) {
    throw new MarauderError("OPTION_RANGE", `a query budget must be a whole number from 0, got ${maxQueries}`);
  }
  let spent = 0;
  const pay = (n: number): void => {
    if (spent + n > maxQueries) {
      throw new MarauderError(
        "BUDGET_SPENT",
        `${n} more queries would exceed the budget of ${maxQueries} (${spent} are spent); raise the query budget`,
        { details: { spent, maxQueries, wanted: n } },
      );
    }
    spent += n;
  };
  return Object.freeze({
    id: target.id,
    can: target.can,
    inputShape: target.inputShape,
    classes: target.classes,
    bounds: target.bounds,
    meter: target.meter,
    left: () => maxQueries - spent,
    label: async (x) => {
      pay(x.dims[0] ?? 0);
      return await target.label(x);
    },
    scores: async (x) => {
      pay(x.dims[0] ?? 0);
      return await target.scores(x);
    },
    gradient: async (x, labels, loss) => {
      pay(x.dims[0] ?? 0);
      return await target.gradient(x, labels, loss);
    },
    close: async () => await target.close(),
  } satisfies Target & { left: () => number });
}
