import type { Engine } from "../../engine/engine.ts";
import { MarauderError } from "../../errors.ts";
import { GraphBuilder, int, type Model } from "../../ir/index.ts";
import { float32, tensor, type Tensor } from "../../tensor/index.ts";
import type { Trainable } from "../architectures.ts";
import { complex, dft, inverseDft, lowPass, morlets, product, reflected, type Complex } from "./scattering-filters.ts";

/** Channels: the mean, 16 of one wavelet, 64 of two. */
const CHANNELS = 81;
/** Groups of three channels that are normalized together, for each example by itself. */
const GROUPS = 27;

export interface ScatteringSpec {
  /** Pixels along each axis of the square grey images [N, 1, size, size]: a multiple of 4, from 8. */
  readonly size: number;
  /** Lowest and highest value of a pixel; they become 0 and 1. */
  readonly bounds: readonly [low: number, high: number];
}

/**
 * Appends the scattering transform of Bruna and Mallat 2013 with J = 2, L = 8 and two orders, as Kymatio 0.3 defines it
 * (Andreux et al. 2020), to a graph: [N, 1, size, size] to [N, 81, (size / 4)^2]. Nothing in it is learned, so what it
 * gives costs no privacy. Circular convolutions are products with the matrices of the Fourier transform.
 */
function scatter(b: GraphBuilder, input: string, { size, bounds }: ScatteringSpec): string {
  const n = size + 8;
  const half = n / 2;
  const real = (rows: number, columns: number, data: ArrayLike<number>, stem: string): string =>
    b.constant(float32([rows, columns], Float32Array.from(data)), stem);
  const image = b.mul(b.sub(input, b.scalar(bounds[0])), b.scalar(1 / (bounds[1] - bounds[0])));
  const slice = (x: string, rows: [number, number], columns: [number, number]): string =>
    b.op("Slice", [x, b.indices([rows[0], columns[0]]), b.indices([rows[1], columns[1]]), b.indices([-2, -1])]);

  /** M X M' for a complex M, as [real, imaginary]; X is given as one real matrix or as [real | imaginary]. */
  const transform = (x: string, m: Complex, isComplex: boolean): [string, string] => {
    const { rows, columns, re, im } = m;
    const right = isComplex
      ? complex(2 * columns, 2 * rows, (r, c) => {
          const at = (c % rows) * columns + (r % columns);
          const imaginaryIn = r >= columns;
          const imaginaryOut = c >= rows;
          return [imaginaryIn === imaginaryOut ? re[at]! : imaginaryIn ? -im[at]! : im[at]!, 0];
        })
      : complex(columns, 2 * rows, (r, c) => [(c < rows ? re : im)[(c % rows) * columns + r]!, 0]);
    const one = b.matmul(x, real(right.rows, right.columns, right.re, "scatter.right"));
    const left = real(2 * rows, columns, [...re, ...im], "scatter.left");
    const both = b.matmul(left, one);
    const [low, high]: [number, number][] = [
      [0, rows],
      [rows, 2 * rows],
    ] as [number, number][];
    return [
      b.sub(slice(both, low!, low!), slice(both, high!, high!)),
      b.add(slice(both, low!, high!), slice(both, high!, low!)),
    ];
  };
  const joined = (parts: readonly string[]): string => b.op("Concat", parts, { axis: int(-1) });
  const modulus = ([x, y]: readonly string[]): string => b.op("Sqrt", [b.add(b.mul(x!, x!), b.mul(y!, y!))]);
  const smooth = (x: string, m: number): string => {
    const low = lowPass(n, m);
    const outputs = n / 4 - 2;
    const turned = Float64Array.from(
      { length: m * outputs },
      (_, i) => low[(i % outputs) * m + Math.floor(i / outputs)]!,
    );
    return b.matmul(real(outputs, m, low, "scatter.low"), b.matmul(x, real(m, outputs, turned, "scatter.lowT")));
  };
  /** The spectra of eight wavelets, beside each other for real and imaginary parts: [8, n, 2 n]. */
  const bank = (j: number): string => {
    const data = morlets(n, j).flatMap((psi) =>
      Array.from({ length: n }, (_, r) => [
        ...psi.subarray(r * n, (r + 1) * n),
        ...psi.subarray(r * n, (r + 1) * n),
      ]).flat(),
    );
    return b.constant(float32([8, n, 2 * n], Float32Array.from(data)), `scatter.psi${j}`);
  };
  const wide = bank(1);
  const spectrum = joined(transform(image, product(dft(n), reflected(size, 4, 4)), false));
  const fine = modulus(transform(b.mul(spectrum, bank(0)), inverseDft(n), true));
  const coarse = modulus(transform(b.mul(spectrum, wide), inverseDft(n, 2), true));
  const again = joined(transform(fine, dft(n), false));
  const second = modulus(transform(b.mul(b.unsqueeze(again, [2]), wide), inverseDft(n, 2), true));
  const padded = reflected(size, 4, 4);
  const turned = complex(size, n, (r, c) => [padded.re[c * size + r]!, 0]);
  const whole = b.matmul(
    real(n, size, padded.re, "scatter.pad"),
    b.matmul(image, real(size, n, turned.re, "scatter.padT")),
  );
  const all = [smooth(whole, n), smooth(fine, n), smooth(coarse, half), smooth(second, half)];
  const places = size / 4;
  const flat = all.map((x, i) => b.reshape(x, [0, [1, 8, 8, 64][i]!, places * places]));
  return b.op("Concat", flat, { axis: int(1) });
}

/** Each example's groups of three channels brought to mean 0 and variance 1 (Wu and He 2018), without looking at others. */
function normalized(b: GraphBuilder, x: string, places: number): string {
  const groups = b.reshape(x, [0, GROUPS, (CHANNELS / GROUPS) * places]);
  const ones = b.constant(float32([GROUPS], new Float32Array(GROUPS).fill(1)), "scatter.one");
  const zeros = b.constant(float32([GROUPS]), "scatter.zero");
  return b.reshape(b.op("InstanceNormalization", [groups, ones, zeros], { epsilon: { type: "float", value: 1e-5 } }), [
    0,
    CHANNELS * places,
  ]);
}

/** Scattering coefficients alone: input "input" [N, 1, size, size], output "scattering" [N, 81 (size / 4)^2], normalized or not. */
export function scatteringModel(spec: ScatteringSpec, options: { normalize?: boolean } = {}): Model {
  const { size } = spec;
  if (!Number.isInteger(size / 4) || size < 8 || size > 256) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `scattering takes square grey images of 8 to 256 pixels, in steps of 4; got ${size}`,
    );
  }
  const places = (size / 4) ** 2;
  const b = new GraphBuilder();
  const x = scatter(b, b.input("input", "float32", ["N", 1, size, size]), spec);
  const out = options.normalize === false ? b.reshape(x, [0, CHANNELS * places]) : normalized(b, x, places);
  b.output(out, "float32", ["N", CHANNELS * places], "scattering");
  return modelOf(b, "scattering");
}

/**
 * A linear classifier of features [N, width]; weights begin at 0. `front` makes the file take what the front takes, and a
 * `mean` that was taken from its features goes into the file.
 */
export function linearHead(width: number, classes: number, front?: Model, mean?: Float32Array): Trainable {
  const build = (b: GraphBuilder, x: string): Trainable => {
    const weight = tensor("float32", [width, classes], new Float32Array(width * classes));
    const parameters = new Map<string, Tensor>([
      ["head.weight", weight],
      ["head.bias", float32([classes])],
    ]);
    const logits = b.output(b.op("Gemm", [x, "head.weight", "head.bias"]), "float32", ["N", classes], "logits");
    const model = modelOf(b, "linear-head", parameters);
    return { model, parameters: [...parameters.keys()], frozen: [], features: logits };
  };
  const alone = new GraphBuilder();
  const trainable = build(alone, alone.input("input", "float32", ["N", width]));
  if (front === undefined) return trainable;
  const b = new GraphBuilder(front.graph);
  b.clearOutputs();
  const given = front.graph.outputs[0]!.name;
  const x = mean === undefined ? given : b.sub(given, b.constant(float32([width], mean), "head.mean"));
  return { ...trainable, exported: build(b, x).model };
}

/** What a front gives for images, ROWS at a time: computed once, since nothing in it changes. */
export async function featuresOf(
  engine: Engine,
  front: Model,
  images: Tensor<"float32">,
  step: (done: number, of: number) => void = () => {},
): Promise<Tensor<"float32">> {
  const ROWS = 32;
  const n = images.dims[0]!;
  const session = await engine.load(front);
  try {
    const each = images.data.length / n;
    let out: Float32Array | null = null;
    let width = 0;
    for (let from = 0; from < n; from += ROWS) {
      const rows = Math.min(ROWS, n - from);
      const x = tensor(
        "float32",
        [rows, ...images.dims.slice(1)],
        images.data.subarray(from * each, (from + rows) * each),
      );
      const { data } = (await session.run({ [front.graph.inputs[0]!.name]: x }))[front.graph.outputs[0]!.name]!;
      width = data.length / rows;
      out ??= new Float32Array(n * width);
      out.set(data as Float32Array, from * width);
      step(from + rows, n);
    }
    return tensor("float32", [n, width], out ?? new Float32Array(0));
  } finally {
    await session.close();
  }
}

function modelOf(b: GraphBuilder, name: string, more: ReadonlyMap<string, Tensor> = new Map()): Model {
  const graph = b.build();

  return {
    irVersion: 8,
    opsets: { "": 18 },
    producer: "marauder",
    producerVersion: "",
    metadata: { architecture: name },
    graph: { ...graph, name, constants: new Map([...graph.constants, ...more]) },
  };
}
