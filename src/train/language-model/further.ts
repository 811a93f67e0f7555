import type { Vocabulary } from "../../data/text/index.ts";
import { MarauderError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import { seeded } from "../../random/index.ts";
import type { Trainable } from "../architectures.ts";
import { layoutOf, pack, unpack } from "../parameters.ts";
import { trainableOf } from "../trainable-of.ts";
import { buildLanguageModel, type LanguageArch, type LanguageSpec } from "./architectures.ts";
import { tokensAndLogits } from "./tokens-and-logits.ts";

/**
 * A language model from a file, in the form that trains on examples of `context` predictions; what is exported is the
 * file with new weights. A file that Marauder made is built anew with its weights; of any other its weights are found
 * (`trainableOf`), with its sequence axis set to the context. Throws MODEL_INPUT where it is no language model of that
 * vocabulary and context, MODEL_UNSUPPORTED where it cannot be trained.
 */
export function trainableLanguage(
  model: Model,
  vocabulary: Vocabulary,
  context: number,
): Trainable & { readonly exported: Model } {
  const { input, output } = tokensAndLogits(model);
  const [first, steps] = input.dims!;
  const size = output.dims![2];
  if (typeof size === "number" && size !== vocabulary.size) {
    throw new MarauderError(
      "MODEL_INPUT",
      `the model gives logits for ${size} tokens, the vocabulary of the text has ${vocabulary.size}; read the text with ` +
        "the vocabulary of the model",
    );
  }
  const spec = specOf(model, vocabulary);
  const most = typeof steps === "number" ? steps : spec?.arch === "gpt" ? spec.context : null;
  if (most !== null && most !== context) {
    throw new MarauderError(
      "MODEL_INPUT",
      `the model takes examples of ${most} predictions, the examples have ${context}; cut the text with a context of ${most}`,
    );
  }
  if (spec !== null) {
    const made = buildLanguageModel(spec.arch, { ...spec, context });
    const layout = layoutOf(made.model, made.parameters);
    return { ...made, model: unpack(made.model, layout, pack(model, layout)), exported: model };
  }
  const inputs = model.graph.inputs.map((i) => (i === input ? { ...i, dims: [first!, context] } : i));
  return { ...trainableOf({ ...model, graph: { ...model.graph, inputs } }), exported: model };
}

/** What a file that Marauder made was built with; null for any other file. */
function specOf(
  { graph, metadata, producer }: Model,
  vocabulary: Vocabulary,
): (LanguageSpec & { arch: LanguageArch }) | null {
  const arch = metadata["architecture"];
  const dims = (name: string): readonly number[] => graph.constants.get(name)?.dims ?? [];
  const layers = (name: string): number => {
    let n = 0;
    while (graph.constants.has(name.replace("#", String(n + 1)))) n++;
    return n;
  };
  const table = dims(arch === "gpt" ? "token" : "embedding");
  if (producer !== "marauder" || table.length !== 2) return null;
  const common = { vocabulary, context: Number(metadata["context"]), rng: seeded(0), embedding: table[1]! };
  if (arch === "char-lstm") {
    const width = dims("lstm1.state")[0] ?? 0;
    return { ...common, arch, width, layers: layers("lstm#.state"), heads: 1, tied: false };
  }
  const heads = Number(metadata["heads"]);
  if (arch !== "gpt" || !(heads >= 1)) return null;
  const tied = !graph.constants.has("head");
  return { ...common, arch, width: table[1]!, layers: layers("block#.up.weight"), heads, tied };
}
