import { getInt, getString } from "../../ir/attributes.ts";
import { sizeOf } from "../../tensor/index.ts";
import { axisOf, fail, floatsOf, fromNumbers, intsOf, need, numbers, stridesOf, value, type Kernel } from "./value.ts";

/** Pairs of entries turned by the angle of their position (Su et al. 2021). */
export const RotaryEmbedding: Kernel = (inputs, node) => {
  const [x, cos, sin] = [need(inputs, 0, node), need(inputs, 1, node), need(inputs, 2, node)];
  const places = intsOf(inputs[3]);
  const four = x.dims.length === 4;
  const [batch, steps] = [x.dims[0]!, x.dims[four ? 2 : 1]!];
  const heads = four ? x.dims[1]! : getInt(node, "num_heads", 0);
  if (heads < 1) return fail(node, "no num_heads");
  const size = four ? x.dims[3]! : x.dims[2]! / heads;
  const turned = getInt(node, "rotary_embedding_dim", 0) || size;
  const half = turned / 2;
  const between = getInt(node, "interleaved", 0) !== 0;
  const [values, cosines, sines] = [floatsOf(x), floatsOf(cos), floatsOf(sin)];
  const out = values.slice();
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < steps; t++) {
      const row = places === null ? b * steps + t : places[b * steps + t]!;
      for (let h = 0; h < heads; h++) {
        const base = four ? ((b * heads + h) * steps + t) * size : ((b * steps + t) * heads + h) * size;
        for (let i = 0; i < half; i++) {
          const [p, q] = between ? [base + 2 * i, base + 2 * i + 1] : [base + i, base + i + half];
          const [c, s] = [cosines[row * half + i]!, sines[row * half + i]!];
          out[p] = c * values[p]! - s * values[q]!;
          out[q] = s * values[p]! + c * values[q]!;
        }
      }
    }
  }
  return [fromNumbers(x.dtype, x.dims, out)];
};

/** A cache with new entries written from a place of its own for each example. */
export const TensorScatter: Kernel = (inputs, node) => {
  const [past, update] = [need(inputs, 0, node), need(inputs, 1, node)];
  const axis = axisOf(getInt(node, "axis", -2), past.dims.length, node);
  const starts = intsOf(inputs[2]);
  const circular = getString(node, "mode", "linear") === "circular";
  const size = past.dims[axis]!;
  const [from, to] = [stridesOf(update.dims), stridesOf(past.dims)];
  const data = past.data.slice();
  for (let k = 0; k < update.data.length; k++) {
    let at = 0;
    for (const [a, d] of update.dims.entries()) {
      let i = Math.floor(k / from[a]!) % d;
      if (a === axis) i += starts?.[Math.floor(k / from[0]!)] ?? 0;
      if (a === axis && circular) i %= size;
      if (i >= past.dims[a]!) return fail(node, `writes at ${i} of ${size}`);
      at += i * to[a]!;
    }
    data[at] = update.data[k]!;
  }
  return [value(past.dtype, past.dims, data)];
};

/** Products of all entries up to each one, along an axis. */
export const CumProd: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const axis = axisOf(intsOf(need(inputs, 1, node))![0]!, x.dims.length, node);
  const [exclusive, reverse] = [getInt(node, "exclusive", 0) !== 0, getInt(node, "reverse", 0) !== 0];
  const values = numbers(x);
  const out = new Float64Array(values.length);
  const [step, size] = [stridesOf(x.dims)[axis]!, x.dims[axis]!];
  for (let k = 0; k < sizeOf(x.dims); k++) {
    if (Math.floor(k / step) % size !== 0) continue;
    let product = 1;
    for (let j = 0; j < size; j++) {
      const at = k + (reverse ? size - 1 - j : j) * step;
      if (exclusive) out[at] = product;
      product *= values[at]!;
      if (!exclusive) out[at] = product;
    }
  }
  return [fromNumbers(x.dtype, x.dims, out)];
};
