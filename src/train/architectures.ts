import { MarauderError } from "../errors.ts";
import { GraphBuilder, int, ints, tensorInfo, type Model, type ValueInfo } from "../ir/index.ts";
import type { Rng } from "../random/rng.ts";
import { sizeOf, type Tensor } from "../tensor/index.ts";
import type { Normalization } from "./normalization.ts";
import { resnet } from "./resnet.ts";
import type { Arch } from "./trainer.ts";
import { glorot, he, Weights, type Draw } from "./weights.ts";

export interface ArchitectureSpec {
  /** Shape of one example: any for logistic and mlp, [C, H, W] for cnn and resnet. */
  readonly inputShape: readonly number[];
  readonly classes: number;
  readonly rng: Rng;
  /** Becomes part of the graph, so that the model takes raw inputs; left out, inputs are used as they are. */
  readonly normalization?: Normalization;
  /** Widths of the hidden dense layers; default mlp [64, 64], cnn [64]. */
  readonly hidden?: readonly number[];
  /** Channels of the convolutions of cnn, of the stages of resnet; default cnn [16, 32], resnet [16, 32, 64]. */
  readonly channels?: readonly number[];
  /** Residual blocks in each stage of resnet; default 2. */
  readonly blocks?: number;
}

/** A model to be trained, and which of its constants are what. */
export interface Trainable {
  /** Input "input" [N, ...inputShape], output "logits" [N, classes], parameters as float32 constants. */
  readonly model: Model;
  /** Names of the constants that training changes, in a fixed order. */
  readonly parameters: readonly string[];
  /** Names of the constants that depend on the data but are not trained. */
  readonly frozen: readonly string[];
  /** Name of the value that feeds the last linear layer. */
  readonly features: string;
  /** The file that gets the trained weights, where `model` is not the file itself but a form of it for training. */
  readonly exported?: Model;
}

/** What an architecture writes its nodes with. Shapes of inner values go along: gradient rules have faster forms for them. */
export interface Drawing {
  readonly b: GraphBuilder;
  readonly weights: Weights;
  /** Notes the shape of a value, without the batch axis, and returns its name. */
  known(name: string, dims: readonly number[]): string;
}

const RELU = 2;
/**
 * The largest of four independent normals, cut at 0, has three times the second moment of one that is cut at 0, so a
 * convolution before pooling gets 2/3.
 */
const POOL_RELU = 2 / 3;

/**
 * Builds a classifier: logistic (one linear layer), mlp (ReLU layers), cnn (twice conv 3x3, max-pool 2, ReLU; then dense
 * ReLU layers), resnet (see `resnet`). The ReLU stands behind the pooling, where it gives the same values on a quarter of the elements.
 * The same `rng` gives the same weights. Throws SHAPE_MISMATCH when inputs do not fit the architecture.
 */
export function buildArchitecture(arch: Arch, spec: ArchitectureSpec): Trainable {
  const { inputShape, classes, rng, normalization, blocks = 2 } = spec;
  const hidden = spec.hidden ?? (arch === "mlp" ? [64, 64] : arch === "cnn" ? [64] : []);
  const channels = spec.channels ?? (arch === "resnet" ? [16, 32, 64] : [16, 32]);
  const b = new GraphBuilder();
  const weights = new Weights(b, rng);
  const frozen = new Map<string, Tensor<"float32">>();
  const keep = (name: string, value: Tensor<"float32">): string => {
    frozen.set(b.fresh(name), value);
    return name;
  };
  const values = new Map<string, ValueInfo>();
  const known = (name: string, dims: readonly number[]): string => {
    values.set(name, tensorInfo(name, "float32", ["N", ...dims]));
    return name;
  };
  const dense = (x: string, name: string, from: number, to: number, draw: Draw, out: string): string =>
    b.op("Gemm", [x, weights.add(`${name}.weight`, [from, to], draw), weights.bias(`${name}.bias`, to)], {}, out);

  let x = b.input("input", "float32", ["N", ...inputShape]);
  if (normalization !== undefined) {
    x = known(b.op("Sub", [x, keep("input.mean", normalization.mean)], {}, "centred"), inputShape);
    x = known(b.op("Mul", [x, keep("input.scale", normalization.scale)], {}, "normalized"), inputShape);
  }
  let width = sizeOf(inputShape);
  if (arch === "cnn") {
    let [from, h, w] = imageShape(arch, inputShape, 2 ** channels.length);
    channels.forEach((to, i) => {
      const name = `conv${i + 1}`;
      const kernel = weights.add(`${name}.weight`, [to, from, 3, 3], he(from * 9, POOL_RELU));
      const conv = { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) };
      x = known(b.op("Conv", [x, kernel, weights.bias(`${name}.bias`, to)], conv, name), [to, h, w]);
      [from, h, w] = [to, Math.floor(h / 2), Math.floor(w / 2)];
      const pool = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) };
      x = known(b.op("MaxPool", [x], pool, `pool${i + 1}`), [to, h, w]);
      x = known(b.op("Relu", [x], {}, `relu${i + 1}`), [to, h, w]);
    });
    width = from * h * w;
  }
  if (arch === "resnet") {
    const shape = imageShape(arch, inputShape, 2 ** (channels.length - 1));
    x = resnet({ b, weights, known }, x, shape, channels, blocks);
    width = channels.at(-1)!;
  } else if (arch === "cnn" || inputShape.length !== 1) {
    x = known(b.op("Flatten", [x], { axis: int(1) }, "flat"), [width]);
  }
  hidden.forEach((to, i) => {
    const last = i === hidden.length - 1;
    x = known(dense(x, `hidden${i + 1}`, width, to, he(width, RELU), `dense${i + 1}`), [to]);
    x = known(b.op("Relu", [x], {}, last ? "features" : `active${i + 1}`), [to]);
    width = to;
  });
  const features = x;
  const logits = dense(x, "output", width, classes, glorot(width, classes), "logits");
  b.output(logits, "float32", ["N", classes]);

  const graph = b.build();
  const constants = new Map<string, Tensor>([...graph.constants, ...frozen, ...weights.constants]);
  return {
    model: {
      irVersion: 8,
      opsets: { "": 18 },
      producer: "marauder",
      producerVersion: "",
      metadata: { architecture: arch },
      graph: { ...graph, name: arch, constants, values },
    },
    parameters: [...weights.constants.keys()],
    frozen: [...frozen.keys()],
    features,
  };
}

function imageShape(arch: Arch, shape: readonly number[], smallest: number): [number, number, number] {
  const [c, h, w] = shape;
  if (shape.length !== 3 || c! < 1 || h! < smallest || w! < smallest) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `architecture ${arch} cannot take these inputs; expected [channels, height, width] with height and width of at least ` +
        `${smallest}, got [${shape.join(", ")}]; use mlp, or give images`,
    );
  }
  return [c!, h!, w!];
}
