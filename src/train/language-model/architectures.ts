import { GraphBuilder, type Dim, type Model } from "../../ir/index.ts";
import type { Rng } from "../../random/rng.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { Trainable } from "../architectures.ts";
import { Weights } from "../weights.ts";
import { charLstm } from "./char-lstm.ts";
import { gpt } from "./gpt.ts";
import { vocabularyText, type Vocabulary } from "../../data/text/index.ts";

export type LanguageArch = "char-lstm" | "gpt";

export interface LanguageSpec {
  readonly vocabulary: Vocabulary;
  /** Number of predictions of an example, T. */
  readonly context: number;
  /** char-lstm: numbers in the state of a layer; gpt: length of the vector of a token. */
  readonly width: number;
  readonly layers: number;
  /** gpt only; divides the width. */
  readonly heads: number;
  /** char-lstm only: length of the vector of a token. */
  readonly embedding: number;
  /** gpt only: one table for tokens in and out. */
  readonly tied: boolean;
  readonly rng: Rng;
}

/** What an architecture writes its nodes with. */
export interface Workshop {
  readonly b: GraphBuilder;
  readonly weights: Weights;
  readonly spec: LanguageSpec;
  /** Number of positions where it is fixed (for training), null where it is read from the input (for use). */
  readonly steps: number | null;
}

/** Tokens [N, T] in, hidden vectors and logits [N, T, V] out. */
export type Emit = (workshop: Workshop, tokens: string) => { readonly hidden: string; readonly logits: string };

const emitters: Readonly<Record<LanguageArch, Emit>> = { "char-lstm": charLstm, gpt };

/**
 * Builds a language model: input "tokens" int64 [N, T], output "logits" [N, T, V], where position t tells the logits of
 * token t + 1. `model` is the form for training, with T fixed, recurrences unrolled; `exported` the ordinary file, for
 * any T (gpt: up to the context), in which a recurrence is the operator LSTM, with the vocabulary and the context in its
 * metadata. The same `rng` gives the same weights.
 */
export function buildLanguageModel(arch: LanguageArch, spec: LanguageSpec): Trainable & { readonly exported: Model } {
  const make = (steps: number | null): { model: Model; weights: Weights; hidden: string } => {
    const b = new GraphBuilder();
    const weights = new Weights(b, spec.rng);
    const axis: Dim = steps ?? "T";
    const tokens = b.input("tokens", "int64", ["N", axis]);
    const { hidden, logits } = emitters[arch]({ b, weights, spec, steps }, tokens);
    b.output(logits, "float32", ["N", axis, spec.vocabulary.size]);
    const graph = b.build();
    const constants = new Map<string, Tensor>([...graph.constants, ...weights.constants]);
    const model: Model = {
      irVersion: 9,
      opsets: { "": 20 },
      producer: "marauder",
      producerVersion: "",
      metadata: {
        architecture: arch,
        vocabulary: vocabularyText(spec.vocabulary),
        context: String(spec.context),
        ...(arch === "gpt" && { heads: String(spec.heads) }),
      },
      graph: { ...graph, name: arch, constants },
    };
    return { model, weights, hidden };
  };
  const { model, weights, hidden } = make(spec.context);
  return { model, parameters: [...weights.constants.keys()], frozen: [], features: hidden, exported: make(null).model };
}
