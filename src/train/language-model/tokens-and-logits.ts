import { excerpt, MarauderError } from "../../errors.ts";
import type { Model, ValueInfo } from "../../ir/index.ts";

interface TokensAndLogits {
  /** int64 [N, T]. */
  readonly input: ValueInfo;
  /** [N, T, V]. */
  readonly output: ValueInfo;
}

/** The input and the output of a language model; throws MODEL_INPUT where it has not just one input of tokens, or no logits. */
export function tokensAndLogits(model: Model): TokensAndLogits {
  const found = find(model);
  if (found !== null) return found;
  throw new MarauderError(
    "MODEL_INPUT",
    "the model is no language model; expected one input int64 [N, T] and one output [N, T, V], got inputs " +
      excerpt(
        inputsOf(model)
          .map((i) => `${i.name} ${i.dtype} [${i.dims?.join(", ") ?? "?"}]`)
          .join("; ") || "none",
      ),
  );
}

/** Whether a model takes tokens [N, T] and gives logits for each of them. */
export const isLanguageModel = (model: Model): boolean => find(model) !== null;

const inputsOf = ({ graph }: Model): ValueInfo[] => graph.inputs.filter((i) => !graph.constants.has(i.name));

function find(model: Model): TokensAndLogits | null {
  const [input, ...others] = inputsOf(model);
  const output = model.graph.outputs[0];
  const fits = input?.dtype === "int64" && input.dims?.length === 2 && output?.dims?.length === 3;
  return fits && others.length === 0 ? { input, output } : null;
}
