import { MarauderError } from "../../errors.ts";
import { GraphBuilder, int, ints, tensorInfo, type ValueInfo } from "../../ir/index.ts";
import type { Rng } from "../../random/rng.ts";
import { float32, type Tensor } from "../../tensor/index.ts";
import type { Trainable } from "../architectures.ts";
import { glorot, Weights } from "../weights.ts";

export interface PrivateArchitectureSpec {
  /** [channels, height, width], height and width from 16. */
  readonly inputShape: readonly number[];
  readonly classes: number;
  readonly rng: Rng;
  /** Lowest and highest value that an input can have: public, never measured on the data. Inputs become 0 .. 3. */
  readonly bounds: readonly [low: number, high: number];
  /** Channels of the two convolutions; default [16, 32]. */
  readonly channels?: readonly [number, number];
  /**
   * Groups of channels that are brought to mean 0 and variance 1 behind each convolution, each example by itself (Wu and He
   * 2018): what stands in for BatchNormalization, which mixes examples. Default 0: none, best for so small a network.
   */
  readonly groups?: number;
  /** Kernels brought to mean 0 and deviation 1 for each output channel (Qiao et al. 2019; De et al. 2022). Default false. */
  readonly standardize?: boolean;
}

/** Inputs span this much, so that the first layer's gradient is of the size of the others'. */
const SPAN = 3;
const HIDDEN = 32;
/** Size and padding of the two kernels. */
const KERNELS = [
  [8, 3],
  [4, 0],
] as const;

/**
 * The network of the DP-SGD tutorials with bounded activations, which keep gradients small (Papernot, Thakurta, Song, Chien
 * and Erlingsson 2021, "Tempered sigmoid activations"; Tramer and Boneh 2021, table 10): convolutions 8x8 and 4x4 of
 * stride 2, each with tanh and pooling, a dense layer of 32 with tanh. It pools by the mean: largest values of windows that
 * overlap cost more than both convolutions.
 */
export function privateCnn(spec: PrivateArchitectureSpec): Trainable {
  const { inputShape, classes, rng, bounds, channels = [16, 32], groups = 0, standardize = false } = spec;
  const [c = 0, h0 = 0, w0 = 0] = inputShape;
  if (inputShape.length !== 3 || h0 < 16 || w0 < 16) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `the private cnn takes images [channels, height, width] from 16 pixels, got [${inputShape.join(", ")}]`,
    );
  }
  if (groups !== 0 && channels.some((n) => n % groups !== 0)) {
    throw new MarauderError("OPTION_RANGE", `${groups} groups do not divide ${channels.join(" and ")} channels`);
  }
  const b = new GraphBuilder();
  const weights = new Weights(b, rng);
  const values = new Map<string, ValueInfo>();
  const known = (name: string, dims: readonly number[]): string => {
    values.set(name, tensorInfo(name, "float32", ["N", ...dims]));
    return name;
  };
  let x = b.input("input", "float32", ["N", ...inputShape]);
  x = known(b.sub(x, b.constant(float32([1], [bounds[0]]), "low")), inputShape);
  x = known(b.mul(x, b.constant(float32([1], [SPAN / (bounds[1] - bounds[0])]), "scale")), inputShape);
  let [from, h, w] = [c, h0, w0];
  for (const [i, [k, pad]] of KERNELS.entries()) {
    const to = channels[i]!;
    [h, w] = [Math.floor((h + 2 * pad - k) / 2) + 1, Math.floor((w + 2 * pad - k) / 2) + 1];
    const name = `conv${i + 1}`;
    const kernel = weights.add(`${name}.weight`, [to, from, k, k], glorot(from * k * k, to * k * k));
    const conv = { kernel_shape: ints([k, k]), strides: ints([2, 2]), pads: ints([pad, pad, pad, pad]) };
    if (standardize) {
      const unit = b.op("MeanVarianceNormalization", [kernel], { axes: ints([1, 2, 3]) });
      const shift = weights.put(`${name}.bias`, float32([to, 1, 1]));
      const scale = b.scalar(1 / Math.sqrt(from * k * k)); // so that variance stays where it is
      x = known(b.op("Conv", [x, unit], conv, name), [to, h, w]);
      x = known(b.add(known(b.mul(x, scale), [to, h, w]), shift), [to, h, w]);
    } else x = known(b.op("Conv", [x, kernel, weights.bias(`${name}.bias`, to)], conv, name), [to, h, w]);
    if (groups > 0) x = known(grouped(b, weights, `norm${i + 1}`, x, groups, [to, h, w]), [to, h, w]);
    x = known(b.op("Tanh", [x], {}, `active${i + 1}`), [to, h, w]);
    [h, w] = [h - 1, w - 1];
    const pool = { kernel_shape: ints([2, 2]), strides: ints([1, 1]) };
    x = known(b.op("AveragePool", [x], pool, `pool${i + 1}`), [to, h, w]);
    from = to;
  }
  const width = from * h * w;
  const flat = known(b.op("Flatten", [x], { axis: int(1) }, "flat"), [width]);
  const dense = (input: string, name: string, n: number, to: number, out: string): string => {
    const weight = weights.add(`${name}.weight`, [n, to], glorot(n, to));
    return known(b.op("Gemm", [input, weight, weights.bias(`${name}.bias`, to)], {}, out), [to]);
  };
  const features = known(b.op("Tanh", [dense(flat, "dense", width, HIDDEN, "hidden")], {}, "features"), [HIDDEN]);
  b.output(dense(features, "output", HIDDEN, classes, "logits"), "float32", ["N", classes]);
  const graph = b.build();
  const constants = new Map<string, Tensor>([...graph.constants, ...weights.constants]);
  return {
    model: {
      irVersion: 8,
      opsets: { "": 18 },
      producer: "marauder",
      producerVersion: "",
      metadata: { architecture: "private-cnn" },
      graph: { ...graph, name: "private-cnn", constants, values },
    },
    parameters: [...weights.constants.keys()],
    frozen: [],
    features,
  };
}

/** Group normalization with a scale and a shift for each channel. */
function grouped(
  b: GraphBuilder,
  weights: Weights,
  name: string,
  x: string,
  groups: number,
  [c, h, w]: readonly [number, number, number],
): string {
  const plain = (value: number): string => b.constant(float32([groups], new Float32Array(groups).fill(value)), "plain");
  const rows = b.reshape(x, [0, groups, (c / groups) * h * w]);
  const unit = b.op("InstanceNormalization", [rows, plain(1), plain(0)], { epsilon: { type: "float", value: 1e-5 } });
  const scale = weights.put(`${name}.scale`, float32([c, 1, 1], new Float32Array(c).fill(1)));
  const shift = weights.put(`${name}.shift`, float32([c, 1, 1]));
  return b.add(b.mul(b.reshape(unit, [0, c, h, w]), scale), shift);
}
