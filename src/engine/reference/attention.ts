import { getFloat, getInt } from "../../ir/attributes.ts";
import { sizeOf } from "../../tensor/index.ts";
import { broadcastOffsets, fail, floatsOf, fromNumbers, need, type Kernel } from "./value.ts";

interface Heads {
  readonly batch: number;
  readonly heads: number;
  readonly steps: number;
  readonly size: number;
  readonly at: (b: number, h: number, t: number, k: number) => number;
}

/** Scaled dot-product attention by definition: every query, one after the other. */
export const Attention: Kernel = (inputs, node) => {
  const split = (i: number, count: number): Heads => {
    const v = need(inputs, i, node);
    const data = floatsOf(v);
    const [batch] = v.dims as [number];
    const wide = v.dims.length === 4;
    const heads = wide ? v.dims[1]! : count;
    const [steps, size] = wide ? [v.dims[2]!, v.dims[3]!] : [v.dims[1]!, v.dims[2]! / heads];
    const at = (b: number, h: number, t: number, k: number): number =>
      data[wide ? ((b * heads + h) * steps + t) * size + k : ((b * steps + t) * heads + h) * size + k]!;
    return { batch, heads, steps, size, at };
  };
  const before = (past: number, now: Heads): Heads => {
    if (inputs[past] == null) return now;
    const old = split(past, now.heads);
    return {
      ...now,
      steps: old.steps + now.steps,
      at: (b, h, t, k) => (t < old.steps ? old.at(b, h, t, k) : now.at(b, h, t - old.steps, k)),
    };
  };
  if (inputs[6] != null || node.outputs[3]) fail(node, "nonpad_kv_seqlen or qk_matmul_output");
  const q = split(0, getInt(node, "q_num_heads", 1));
  const k = before(4, split(1, getInt(node, "kv_num_heads", 1)));
  const v = before(5, split(2, getInt(node, "kv_num_heads", 1)));
  const past = inputs[4] == null ? 0 : inputs[4].dims[2]!;
  const scale = getFloat(node, "scale", 1 / Math.sqrt(q.size));
  const cap = getFloat(node, "softcap", 0);
  const causal = getInt(node, "is_causal", 0) !== 0;
  const mask = inputs[3] ?? null;
  const full = [q.batch, q.heads, q.steps, k.steps];
  const offsets = mask === null ? null : broadcastOffsets(mask.dims, full);
  const bias = (i: number): number => {
    if (mask === null) return 0;
    const m = Number(mask.data[offsets === null ? i : offsets[i]!]);
    return mask.dtype === "bool" ? (m === 0 ? -Infinity : 0) : m;
  };
  const wide = inputs[0]!.dims.length === 4;
  const dims = wide ? [q.batch, q.heads, q.steps, v.size] : [q.batch, q.steps, q.heads * v.size];
  const out = new Float64Array(sizeOf(dims));
  for (let b = 0; b < q.batch; b++) {
    for (let h = 0; h < q.heads; h++) {
      const shared = Math.floor(h / (q.heads / k.heads));
      for (let t = 0; t < q.steps; t++) {
        const scores = Float64Array.from({ length: k.steps }, (_, s) => {
          if (causal && s > t + past) return -Infinity;
          let dot = 0;
          for (let i = 0; i < q.size; i++) dot += q.at(b, h, t, i) * k.at(b, shared, s, i);
          const raw = dot * scale;
          return (cap > 0 ? cap * Math.tanh(raw / cap) : raw) + bias(((b * q.heads + h) * q.steps + t) * k.steps + s);
        });
        const top = scores.reduce((a, x) => Math.max(a, x), -Infinity);
        const weights = scores.map((x) => Math.exp(x - top));
        const total = weights.reduce((a, x) => a + x, 0);
        for (let i = 0; i < v.size; i++) {
          let sum = 0;
          for (let s = 0; s < k.steps; s++) sum += (weights[s]! / total) * v.at(b, shared, s, i);
          out[wide ? ((b * q.heads + h) * q.steps + t) * v.size + i : ((b * q.steps + t) * q.heads + h) * v.size + i] =
            sum;
        }
      }
    }
  }
  const present = (x: Heads) =>
    fromNumbers(
      inputs[0]!.dtype,
      [x.batch, x.heads, x.steps, x.size],
      Float64Array.from({ length: x.batch * x.heads * x.steps * x.size }, (_, i) => {
        const rest = Math.floor(i / x.size);
        const head = Math.floor(rest / x.steps);
        return x.at(Math.floor(head / x.heads), head % x.heads, rest % x.steps, i % x.size);
      }),
    );
  return [fromNumbers(inputs[0]!.dtype, dims, out), present(k), present(v)];
};
