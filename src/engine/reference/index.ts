import { Attention } from "./attention.ts";
import * as conv from "./conv.ts";
import * as discrete from "./discrete.ts";
import * as elementwise from "./elementwise.ts";
import * as fourier from "./fourier.ts";
import * as indexOps from "./index-ops.ts";
import * as losses from "./losses.ts";
import * as linear from "./linear.ts";
import * as moving from "./moving.ts";
import * as norm from "./norm.ts";
import * as pool from "./pool.ts";
import * as reduce from "./reduce.ts";
import * as quantize from "./quantize.ts";
import * as quantized from "./quantized.ts";
import * as recurrent from "./recurrent.ts";
import { Resize } from "./resize.ts";
import * as sampling from "./sampling.ts";
import * as sequenceModel from "./sequence-model.ts";
import * as shape from "./shape.ts";
import type { Kernel } from "./value.ts";

const { erf: _erf, zip: _zip, ...elementwiseKernels } = elementwise;
const { Conv, ConvTranspose } = conv;

/** The interpreter's operators of the default ONNX domain, in the form of opset 18 and later. */
export const kernels: Readonly<Record<string, Kernel | undefined>> = Object.freeze({
  __proto__: null as never,
  ...elementwiseKernels,
  Attention,
  ...linear,
  ...losses,
  ...recurrent,
  ...moving,
  ...quantize,
  ...quantized,
  ...discrete,
  ...fourier,
  ...sampling,
  ...sequenceModel,
  Conv,
  ConvTranspose,
  ...pool,
  ...norm,
  ...reduce,
  ...shape,
  ...indexOps,
  Resize,
});
