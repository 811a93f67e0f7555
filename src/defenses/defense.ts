import type { RunContext } from "../context.ts";
import type { Described, OptionTable, Risk } from "../contract/index.ts";
import type { Capability } from "../target/target.ts";

/**
 * A defense: S is what it works on (data, a training run, a model, or answers), R what it hands back. The frame measures
 * what it gained and what it cost; a defense does not judge itself.
 */
export interface Defense<O, S, R> extends Described {
  readonly kind: "data" | "training" | "model" | "inference";
  /** The risks that it lowers. */
  readonly risks: readonly Risk[];
  readonly needs: readonly Capability[];
  readonly options: OptionTable<O>;
  apply(context: RunContext, subject: S, options: O): Promise<R>;
}
