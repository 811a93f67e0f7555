import { getInt } from "../../ir/attributes.ts";
import type { Node } from "../../ir/graph.ts";
import { dtypeByCode } from "../../ir/tensor-codec.ts";
import { sizeOf } from "../../tensor/index.ts";
import { axisOf, fail, floatsOf, fromNumbers, intsOf, need, stridesOf, type Kernel, type Value } from "./value.ts";

interface Transform {
  readonly axis: number;
  readonly length: number;
  readonly inverse: boolean;
  readonly onesided: boolean;
}

/** The sum itself, term by term; entries beyond the input count as 0. Complex numbers are pairs on the last axis. */
function transform(x: Value, { axis, length, inverse, onesided }: Transform, node: Node): Value {
  const parts = x.dims.at(-1)!;
  if (parts !== 1 && parts !== 2) fail(node, `its last axis has ${parts} entries; expected 1 or 2`);
  const real = inverse && onesided;
  const bins = !real && onesided ? Math.floor(length / 2) + 1 : length;
  const dims = x.dims.map((d, a) => (a === axis ? bins : a === x.dims.length - 1 ? (real ? 1 : 2) : d));
  const [from, to] = [stridesOf(x.dims), stridesOf(dims)];
  const values = floatsOf(x);
  const out = new Float64Array(sizeOf(dims));
  const have = Math.min(x.dims[axis]!, real ? Math.floor(length / 2) + 1 : length);
  for (let o = 0; o < out.length; o += dims.at(-1)!) {
    const bin = Math.floor(o / to[axis]!) % bins;
    const base = x.dims.reduce(
      (at, d, a) => (a === axis || a === x.dims.length - 1 ? at : at + (Math.floor(o / to[a]!) % d) * from[a]!),
      0,
    );
    for (let i = 0; i < have; i++) {
      const at = base + i * from[axis]!;
      const [re, im] = [values[at]!, parts === 2 ? values[at + 1]! : 0];
      const angle = ((inverse ? 2 : -2) * Math.PI * ((i * bin) % length)) / length;
      // Of a real signal the missing half mirrors what is given.
      const twice = real && i > 0 && 2 * i !== length ? 2 : 1;
      out[o]! += twice * (re * Math.cos(angle) - im * Math.sin(angle));
      if (!real) out[o + 1]! += re * Math.sin(angle) + im * Math.cos(angle);
    }
  }
  return fromNumbers(x.dtype, dims, inverse ? out.map((v) => v / length) : out);
}

export const DFT: Kernel = (inputs, node, opset) => {
  const x = need(inputs, 0, node);
  const given = opset < 20 ? getInt(node, "axis", 1) : (intsOf(inputs[2])?.[0] ?? -2);
  const axis = axisOf(given, x.dims.length, node);
  const [inverse, onesided] = [getInt(node, "inverse", 0) !== 0, getInt(node, "onesided", 0) !== 0];
  const own = inverse && onesided ? 2 * (x.dims[axis]! - 1) : x.dims[axis]!;
  return [transform(x, { axis, length: intsOf(inputs[1])?.[0] ?? own, inverse, onesided }, node)];
};

export const STFT: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const [step] = intsOf(need(inputs, 1, node)) as [number];
  const window = inputs[2] ?? null;
  const length = intsOf(inputs[3])?.[0] ?? window?.dims[0] ?? x.dims[1]!;
  const weights = window === null ? null : floatsOf(window);
  if (weights !== null && weights.length !== length) fail(node, "a window of another length than the frames");
  const [batch, size, parts] = x.dims as [number, number, number];
  const frames = 1 + Math.floor((size - length) / step);
  const values = floatsOf(x);
  const cut = new Float64Array(batch * frames * length * parts);
  for (let k = 0; k < cut.length; k++) {
    const [b, f] = [Math.floor(k / (frames * length * parts)), Math.floor(k / (length * parts)) % frames];
    const i = Math.floor(k / parts) % length;
    cut[k] = values[(b * size + f * step + i) * parts + (k % parts)]! * (weights?.[i] ?? 1);
  }
  const framed = fromNumbers(x.dtype, [batch, frames, length, parts], cut);
  return [transform(framed, { axis: 2, length, inverse: false, onesided: getInt(node, "onesided", 1) !== 0 }, node)];
};

/** a - b·cos(2πi/n) + c·cos(4πi/n), n one less where the window is symmetric. */
const cosineWindow =
  (a: number, b: number, c: number): Kernel =>
  (inputs, node) => {
    const [size] = intsOf(need(inputs, 0, node)) as [number];
    const n = getInt(node, "periodic", 1) !== 0 ? size : size - 1;
    const out = Float64Array.from({ length: size }, (_, i) => {
      const angle = (2 * Math.PI * i) / n;
      return a - b * Math.cos(angle) + c * Math.cos(2 * angle);
    });
    return [fromNumbers(dtypeByCode[getInt(node, "output_datatype", 1)] ?? "float32", [size], out)];
  };

export const HannWindow: Kernel = cosineWindow(0.5, 0.5, 0);
export const HammingWindow: Kernel = cosineWindow(25 / 46, 21 / 46, 0);
export const BlackmanWindow: Kernel = cosineWindow(0.42, 0.5, 0.08);
