import { GraphBuilder, int, ints, tensorInfo, type ValueInfo } from "../../ir/index.ts";
import type { Rng } from "../../random/rng.ts";
import { float32, sizeOf, tensor, type Tensor } from "../../tensor/index.ts";
import { MarauderError } from "../../errors.ts";
import type { Trainable } from "../architectures.ts";

export interface PrivateArchitectureSpec {
  readonly inputShape: readonly number[];
  readonly classes: number;
  readonly rng: Rng;
  /** Lowest and highest value that an input can have: public, never measured on the data. Inputs become -1 .. 1. */
  readonly bounds: readonly [low: number, high: number];
}

/**
 * The network of the DP-SGD tutorials with bounded activations (Papernot et al. 2021, "Tempered sigmoid activations";
 * Tramer and Boneh 2021, table 10): convolutions 16 of 8x8 and 32 of 4x4, stride 2, each with tanh and pooling, a dense layer of 32. It
 * pools by the mean: largest values of windows that overlap cost more than both convolutions.
 */
export function privateCnn(spec: PrivateArchitectureSpec): Trainable {
  const { inputShape, classes, rng, bounds } = spec;
  const [c = 0, h0 = 0, w0 = 0] = inputShape;
  if (inputShape.length !== 3 || h0 < 20 || w0 < 20) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `the private cnn takes images [channels, height, width] from 20 pixels, got [${inputShape.join(", ")}]`,
    );
  }
  const b = new GraphBuilder();
  const parameters = new Map<string, Tensor<"float32">>();
  const values = new Map<string, ValueInfo>();
  const known = (name: string, dims: readonly number[]): string => {
    values.set(name, tensorInfo(name, "float32", ["N", ...dims]));
    return name;
  };
  const weight = (name: string, dims: readonly number[], fanIn: number, fanOut: number): string => {
    const data = new Float32Array(sizeOf(dims));
    const most = Math.sqrt(6 / (fanIn + fanOut));
    rng.child(name).fillUniform(data, -most, most);
    parameters.set(b.fresh(name), tensor("float32", dims, data));
    return name;
  };
  const bias = (name: string, size: number): string => {
    parameters.set(b.fresh(name), float32([size]));
    return name;
  };
  let x = b.input("input", "float32", ["N", ...inputShape]);
  const middle = b.constant(float32([1], [(bounds[0] + bounds[1]) / 2]), "middle");
  const half = b.constant(float32([1], [2 / (bounds[1] - bounds[0])]), "scale");
  x = known(b.mul(known(b.sub(x, middle), inputShape), half), inputShape);
  let [from, h, w] = [c, h0, w0];
  for (const [i, { to, k, pad }] of [
    { to: 16, k: 8, pad: 3 },
    { to: 32, k: 4, pad: 0 },
  ].entries()) {
    const out = (size: number): number => Math.floor((size + 2 * pad - k) / 2) + 1;
    [h, w] = [out(h), out(w)];
    const kernel = weight(`conv${i + 1}.weight`, [to, from, k, k], from * k * k, to * k * k);
    const conv = { kernel_shape: ints([k, k]), strides: ints([2, 2]), pads: ints([pad, pad, pad, pad]) };
    x = known(b.op("Conv", [x, kernel, bias(`conv${i + 1}.bias`, to)], conv), [to, h, w]);
    x = known(b.op("Tanh", [x]), [to, h, w]);
    [h, w] = [h - 1, w - 1];
    x = known(b.op("AveragePool", [x], { kernel_shape: ints([2, 2]), strides: ints([1, 1]) }), [to, h, w]);
    from = to;
  }
  const width = from * h * w;
  x = known(b.op("Flatten", [x], { axis: int(1) }), [width]);
  const dense = (name: string, to: number, n: number): string =>
    known(b.op("Gemm", [x, weight(`${name}.weight`, [n, to], n, to), bias(`${name}.bias`, to)]), [to]);
  x = dense("dense", 32, width);
  x = known(b.op("Tanh", [x], {}, "features"), [32]);
  const logits = b.output(dense("output", classes, 32), "float32", ["N", classes], "logits");
  const graph = b.build();
  return {
    model: {
      irVersion: 8,
      opsets: { "": 18 },
      producer: "marauder",
      producerVersion: "",
      metadata: { architecture: "private-cnn" },
      graph: {
        ...graph,
        name: "private-cnn",
        constants: new Map<string, Tensor>([...graph.constants, ...parameters]),
        values,
      },
    },
    parameters: [...parameters.keys()],
    frozen: [],
    features: logits,
  };
}
