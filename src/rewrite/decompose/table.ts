import { Attention } from "./attention.ts";
import { If, Loop, Scan } from "./control.ts";
import type { Decomposition } from "./context.ts";
import { DeformConv } from "./deform-conv.ts";
import { Det } from "./det.ts";
import { DFT, STFT } from "./fourier.ts";
import { AffineGrid, GridSample } from "./grid-sample.ts";
import { NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss } from "./losses.ts";
import { GroupNormalization, MeanVarianceNormalization, RMSNormalization, Swish } from "./normalization.ts";
import { QLinearConv, QLinearMatMul } from "./quantized.ts";
import { GRU, LSTM, RNN } from "./recurrent.ts";
import { MaxRoiPool, RoiAlign } from "./regions.ts";
import { CumProd, RotaryEmbedding, TensorScatter } from "./sequence-model.ts";

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
  RotaryEmbedding,
  TensorScatter,
  CumProd,
  Det,
  GridSample,
  AffineGrid,
  RoiAlign,
  MaxRoiPool,
  DeformConv,
  DFT,
  STFT,
  QLinearConv,
  QLinearMatMul,
});
