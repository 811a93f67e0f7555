import { MarauderError } from "../../errors.ts";
import { gaussian, mechanisms, unsupported, type DpEvent } from "../../privacy/index.ts";
import { tensor, type Tensor } from "../../tensor/index.ts";

export interface PrivateMean {
  readonly mean: Float32Array;
  /** What it cost: put it into the plan of the training on the same data (`also`). */
  readonly event: DpEvent;
}

/**
 * The mean of rows [N, width], each cut to `norm`, with exact Gaussian noise of sigma times the norm on their sum; N is
 * public. For features that have much in common, which is worth a little privacy: a linear model then spends its bounded
 * gradients on what differs (Tramer and Boneh 2021, section 3.2, "data normalization"). The noise is 0.1 % wider than
 * the event says, which pays for its grid. Throws OPTION_RANGE.
 */
export function privateMean(
  features: Tensor<"float32">,
  { norm, sigma, source = mechanisms.secureSource() }: { norm: number; sigma: number; source?: mechanisms.NoiseSource },
): PrivateMean {
  const [n = 0, width = 0] = features.dims;
  if (features.dims.length !== 2 || n === 0 || !(norm > 0) || !(sigma > 0)) {
    throw new MarauderError(
      "OPTION_RANGE",
      `a private mean needs rows [N, width] and a norm and sigma above 0, got shape [${features.dims.join(", ")}], ${norm}, ${sigma}`,
    );
  }
  const sum = new Float64Array(width);
  const x = features.data;
  for (let i = 0, at = 0; i < n; i++, at += width) {
    let squares = 0;
    for (let j = at; j < at + width; j++) squares += x[j]! * x[j]!;
    const size = Math.sqrt(squares);
    if (!Number.isFinite(size)) continue;
    // What sums in doubles round off is far below the grid's price.
    const c = size > norm ? (norm / size) * (1 - 2 ** -40) : 1;
    for (let j = 0; j < width; j++) sum[j]! += c * x[at + j]!;
  }
  const noise = mechanisms.gaussianMechanism({
    noise: sigma * norm * (1 + 2 ** -10),
    sensitivity: norm,
    dimension: width,
    source,
  });
  const noisy = noise.release(sum);
  return {
    mean: Float32Array.from(noisy, (v) => v / n),
    event: source.secure ? gaussian(sigma) : unsupported(mechanisms.NOT_PRIVATE),
  };
}

/** Rows less a mean. */
export function centred(features: Tensor<"float32">, mean: Float32Array): Tensor<"float32"> {
  const data = features.data.slice();
  for (let at = 0; at < data.length; at += mean.length) {
    for (let j = 0; j < mean.length; j++) data[at + j]! -= mean[j]!;
  }
  return tensor("float32", features.dims, data);
}
