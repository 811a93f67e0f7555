import type { RunContext } from "../context.ts";
import type { Described, OptionTable, Risk } from "../contract/index.ts";
import type { Capability } from "../target/target.ts";

/**
 * An attack: S is what it works on, R what it hands back to the frame. The frame clips to the budget, re-scores and
 * measures; an attack cannot misreport itself, and sees only the capabilities in `needs`.
 */
export interface Attack<O, S, R> extends Described {
  readonly risk: Risk;
  readonly needs: readonly Capability[];
  readonly options: OptionTable<O>;
  run(context: RunContext, subject: S, options: O): Promise<R>;
}
