import { Attention } from "./attention.ts";
import { If, Loop, Scan } from "./control.ts";
import type { Decomposition } from "./context.ts";
import { NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss } from "./losses.ts";
import { GroupNormalization, MeanVarianceNormalization, RMSNormalization, Swish } from "./normalization.ts";
import { GRU, LSTM, RNN } from "./recurrent.ts";

/** Operators of the default domain that are written with simpler ones before they are differentiated. */
export const decompositions: Readonly<Record<string, Decomposition | undefined>> = Object.freeze({
  __proto__: null as never,
  If,
  Loop,
  Scan,
  LSTM,
  GRU,
  RNN,
  GroupNormalization,
  RMSNormalization,
  MeanVarianceNormalization,
  NegativeLogLikelihoodLoss,
  SoftmaxCrossEntropyLoss,
  Attention,
  Swish,
});
