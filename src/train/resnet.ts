import { ints, int } from "../ir/index.ts";
import { float32 } from "../tensor/index.ts";
import type { Drawing } from "./architectures.ts";
import { he } from "./weights.ts";

/** Channels of one group are normalized together; fewer than so many make poor statistics. */
const LEAST_GROUP = 4;
const MOST_GROUPS = 16;

/**
 * Residual network for small images [C, H, W] (He et al. 2016, section 4.2: a convolution 3x3, stages of blocks of two of
 * them, from the second stage on halved in size; a shortcut by a convolution 1x1 where the shape changes; the mean over
 * all places), with group normalization (Wu & He 2018) in place of batch normalization, so that no example sees another
 * and each one's gradient can be bounded. The last scale of each block starts at 0, which makes the block an identity
 * (Goyal et al. 2017, section 5.1). Returns the name of the features [N, channels of the last stage].
 */
export function resnet(
  drawing: Drawing,
  input: string,
  [c, h, w]: readonly [number, number, number],
  channels: readonly number[],
  blocks: number,
): string {
  const { b, known } = drawing;
  let shape: Shape = [channels[0]!, h, w];
  let x = convolution(drawing, input, "stem.conv", [c, h, w], shape, 3);
  x = active(drawing, normalized(drawing, x, "stem.norm", shape, 1), shape);
  channels.forEach((to, s) => {
    for (let k = 0; k < blocks; k++) {
      const half = s > 0 && k === 0;
      const next: Shape = half ? [to, Math.ceil(shape[1] / 2), Math.ceil(shape[2] / 2)] : [to, shape[1], shape[2]];
      x = block(drawing, x, `stage${s + 1}.block${k + 1}`, shape, next);
      shape = next;
    }
  });
  const pooled = b.op("GlobalAveragePool", [x], {}, "pooled");
  known(pooled, [shape[0], 1, 1]);
  return known(b.op("Flatten", [pooled], { axis: int(1) }, "features"), [shape[0]]);
}

type Shape = readonly [channels: number, height: number, width: number];

function block(drawing: Drawing, x: string, name: string, from: Shape, to: Shape): string {
  const first = normalized(drawing, convolution(drawing, x, `${name}.conv1`, from, to, 3), `${name}.norm1`, to, 1);
  const inner = convolution(drawing, active(drawing, first, to), `${name}.conv2`, to, to, 3);
  const second = normalized(drawing, inner, `${name}.norm2`, to, 0);
  const changes = from.some((d, i) => d !== to[i]);
  const short = changes ? convolution(drawing, x, `${name}.short`, from, to, 1) : x;
  return active(drawing, drawing.known(drawing.b.add(second, short), to), to);
}

const active = ({ b, known }: Drawing, x: string, shape: Shape): string => known(b.op("Relu", [x]), shape);

/** A convolution without bias, with the stride that brings the height of `from` to that of `to`. */
function convolution(
  { b, weights, known }: Drawing,
  x: string,
  name: string,
  from: Shape,
  to: Shape,
  k: number,
): string {
  const weight = weights.add(`${name}.weight`, [to[0], from[0], k, k], he(from[0] * k * k, 2));
  const stride = from[1] === to[1] && from[2] === to[2] ? 1 : 2;
  const pad = (k - 1) / 2;
  const attributes = { kernel_shape: ints([k, k]), pads: ints([pad, pad, pad, pad]), strides: ints([stride, stride]) };
  return known(b.op("Conv", [x, weight], attributes, name), to);
}

/** Group normalization, written with the operator that every runtime has a kernel for. */
function normalized({ b, weights, known }: Drawing, x: string, name: string, shape: Shape, scale: number): string {
  const [c, h, w] = shape;
  const groups = groupsOf(c);
  const plain = [1, 0].map((v) => b.constant(float32([groups], new Float32Array(groups).fill(v)), "plain"));
  const flat = known(b.reshape(x, [0, groups, (c / groups) * h * w]), [groups, (c / groups) * h * w]);
  const even = known(b.op("InstanceNormalization", [flat, ...plain]), [groups, (c / groups) * h * w]);
  const back = known(b.reshape(even, [0, c, h, w]), shape);
  const scaled = known(b.mul(back, weights.add(`${name}.scale`, [c, 1, 1], { all: scale })), shape);
  return known(b.add(scaled, weights.add(`${name}.bias`, [c, 1, 1], { all: 0 })), shape);
}

/** The largest divisor of the channels that leaves groups of at least 4 and makes at most 16 of them. */
export function groupsOf(channels: number): number {
  let groups = Math.max(1, Math.min(MOST_GROUPS, Math.floor(channels / LEAST_GROUP)));
  while (channels % groups !== 0) groups--;
  return groups;
}
