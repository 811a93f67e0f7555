import { getFloat, getInt, int } from "../../ir/index.ts";
import {
  cast,
  floats,
  floatType,
  given,
  num,
  refuse,
  sizeAt,
  sizes,
  wanted,
  whole,
  type Decomposition,
  type Site,
} from "./context.ts";

/** [B, T, heads·size] -> [B, heads, T, size]; values of rank 4 stay. */
function heads(s: Site, value: string, count: number): string {
  if (s.dims(value)?.length === 4) return value;
  if (s.dims(value)?.length !== 3) return refuse(s, `the rank of ${JSON.stringify(value)} is not known to be 3 or 4`);
  if (count < 1) return refuse(s, "q_num_heads and kv_num_heads are needed for inputs of rank 3");
  const size = sizeAt(s, value, 2, "the width of the heads") / count;
  return s.b.transpose(s.b.reshape(value, [0, 0, count, size]), [0, 2, 1, 3]);
}

// Y = softmax(softcap(Q·Kᵀ·scale) + mask)·V, keys and values repeated where several query heads share one
export const Attention: Decomposition = (s) => {
  const { b, node } = s;
  if (wanted(s, 3)) return refuse(s, "its output qk_matmul_output is read");
  if (given(s, 6) !== null) return refuse(s, "nonpad_kv_seqlen is given");
  const [q0, k0, v0] = node.inputs as [string, string, string];
  const wide = s.dims(q0)?.length === 4;
  const countOf = (name: string, value: string): number =>
    wide ? sizeAt(s, value, 1, "the number of heads") : getInt(node, name, 0);
  const [queries, shared] = [countOf("q_num_heads", q0), countOf("kv_num_heads", k0)];
  const q = heads(s, q0, queries);
  const join = (past: number, value: string): string =>
    given(s, past) === null ? value : b.op("Concat", [node.inputs[past]!, value], { axis: int(2) });
  const k = join(4, heads(s, k0, shared));
  const v = join(5, heads(s, v0, shared));
  const repeat = (value: string): string => {
    if (queries === shared) return value;
    if (shared < 1 || queries % shared !== 0)
      return refuse(s, `${queries} query heads do not share ${shared} key heads`);
    const times = queries / shared;
    const wider = b.op("Expand", [b.unsqueeze(value, [2]), b.indices([1, 1, times, 1, 1])]);
    const tail = sizes(s, value, 2, 4);
    return b.op("Reshape", [wider, b.op("Concat", [b.indices([0, queries]), tail], { axis: int(0) })]);
  };
  const width = wide
    ? sizeAt(s, q0, 3, "the width of the heads")
    : sizeAt(s, q0, 2, "the width of the heads") / queries;
  const scale = getFloat(node, "scale", 1 / Math.sqrt(width));
  let scores = b.mul(b.matmul(q, b.transpose(repeat(k), [0, 1, 3, 2])), num(s, scale));
  const cap = getFloat(node, "softcap", 0);
  const capped = (value: string): string =>
    cap > 0 ? b.mul(b.op("Tanh", [b.div(value, num(s, cap))]), num(s, cap)) : value;
  scores = capped(scores);
  const mask = given(s, 3);
  if (mask !== null) {
    const bias = s.dtype(mask) === "bool" ? b.op("Where", [mask, num(s, 0), floats(s, [], [-1e30])]) : mask;
    scores = b.add(scores, bias);
  }
  if (getInt(node, "is_causal", 0) !== 0) scores = b.add(scores, causal(s, q, k, given(s, 4)));
  const y = b.matmul(b.op("Softmax", [scores], { axis: int(-1) }), repeat(v));
  const out = wide ? y : b.reshape(b.transpose(y, [0, 2, 1, 3]), [0, 0, -1]);
  return [out, wanted(s, 1) ? k : "", wanted(s, 2) ? v : ""];
};

/** 0 where a key stands no later than the query, else a number that softmax turns into 0: [T, S]. */
function causal(s: Site, q: string, k: string, past: string | null): string {
  const { b } = s;
  const length = (value: string): string => b.squeeze(sizes(s, value, 2, 3), [0]);
  const [zero, one] = [whole(s, 0), whole(s, 1)];
  const rows = b.op("Range", [zero, length(q), one]);
  const columns = b.op("Range", [zero, length(k), one]);
  const shifted = past === null ? rows : b.add(rows, length(past));
  const later = b.op("Greater", [b.unsqueeze(columns, [0]), b.unsqueeze(shifted, [1])]);
  return b.mul(cast(s, later, floatType(s)), num(s, -1e30));
}
