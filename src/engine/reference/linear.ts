import { getFloat, getInt, getString } from "../../ir/attributes.ts";
import { sizeOf } from "../../tensor/index.ts";
import {
  broadcastDims,
  broadcastOffsets,
  fail,
  floatsOf,
  fromNumbers,
  need,
  stridesOf,
  walkOffsets,
  type Kernel,
} from "./value.ts";

/** out[m, n] += a[m, k]·b[k, n], with the offsets of one matrix each. */
function product(
  out: Float64Array,
  o: number,
  a: Float64Array,
  p: number,
  b: Float64Array,
  q: number,
  m: number,
  k: number,
  n: number,
): void {
  for (let i = 0; i < m; i++) {
    for (let l = 0; l < k; l++) {
      const x = a[p + i * k + l]!;
      if (x === 0) continue;
      const row = q + l * n;
      const to = o + i * n;
      for (let j = 0; j < n; j++) out[to + j]! += x * b[row + j]!;
    }
  }
}

export const MatMul: Kernel = (inputs, node) => {
  const [a, b] = [need(inputs, 0, node), need(inputs, 1, node)];
  if (a.dims.length === 0 || b.dims.length === 0) return fail(node, "scalars have no matrix product");
  const da = a.dims.length === 1 ? [1, ...a.dims] : [...a.dims];
  const db = b.dims.length === 1 ? [...b.dims, 1] : [...b.dims];
  const [m, k] = da.slice(-2) as [number, number];
  const [k2, n] = db.slice(-2) as [number, number];
  if (k !== k2) fail(node, `shapes [${a.dims}] and [${b.dims}] do not multiply`);
  const [ba, bb] = [da.slice(0, -2), db.slice(0, -2)];
  const batch = broadcastDims(node, ba, bb);
  const [oa, ob] = [broadcastOffsets(ba, batch), broadcastOffsets(bb, batch)];
  const out = new Float64Array(sizeOf(batch) * m * n);
  const [xa, xb] = [floatsOf(a), floatsOf(b)];
  for (let i = 0; i < sizeOf(batch); i++) {
    product(out, i * m * n, xa, (oa ? oa[i]! : i) * m * k, xb, (ob ? ob[i]! : i) * k * n, m, k, n);
  }
  const dims = [...batch, ...(a.dims.length === 1 ? [] : [m]), ...(b.dims.length === 1 ? [] : [n])];
  return [fromNumbers(a.dtype, dims, out)];
};

function transposed(x: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = x[i * columns + j]!;
  return out;
}

export const Gemm: Kernel = (inputs, node) => {
  const [a, b] = [need(inputs, 0, node), need(inputs, 1, node)];
  const [ra, ca] = a.dims as [number, number];
  const [rb, cb] = b.dims as [number, number];
  const transA = getInt(node, "transA", 0) !== 0;
  const transB = getInt(node, "transB", 0) !== 0;
  const [m, k] = transA ? [ca, ra] : [ra, ca];
  const [k2, n] = transB ? [cb, rb] : [rb, cb];
  if (k !== k2) fail(node, `shapes [${a.dims}] and [${b.dims}] do not multiply`);
  const out = new Float64Array(m * n);
  product(
    out,
    0,
    transA ? transposed(floatsOf(a), ra, ca) : floatsOf(a),
    0,
    transB ? transposed(floatsOf(b), rb, cb) : floatsOf(b),
    0,
    m,
    k,
    n,
  );
  const alpha = getFloat(node, "alpha", 1);
  const beta = getFloat(node, "beta", 1);
  const c = inputs[2];
  const offsets = c == null ? null : broadcastOffsets(c.dims, [m, n]);
  const bias = c == null ? null : floatsOf(c);
  for (let i = 0; i < out.length; i++)
    out[i] = alpha * out[i]! + (bias === null ? 0 : beta * bias[offsets ? offsets[i]! : i]!);
  return [fromNumbers(a.dtype, [m, n], out)];
};

/** By definition: every combination of labels. */
export const Einsum: Kernel = (inputs, node) => {
  const equation = getString(node, "equation", "").replaceAll(" ", "");
  const given = equation.split("->")[0]!.split(",");
  const operands = given.map((_, i) => need(inputs, i, node));
  // The axes under an ellipsis, counted from its end, become labels "0", "1", …
  const under = given.map((term, i) => (term.includes("...") ? operands[i]!.dims.length - term.length + 3 : 0));
  const digits = (n: number): string => Array.from({ length: n }, (_, k) => String(n - 1 - k)).join("");
  if (Math.max(...under) > 9) return fail(node, "an ellipsis over more than 9 axes");
  const all = digits(Math.max(...under));
  const left = given.map((term, i) => term.replace("...", digits(under[i]!))).join();
  const right = equation.split("->")[1]?.replace("...", all);
  const terms = left.split(",");
  const letters = left.replaceAll(",", "");
  const alone = (label: string): boolean => letters.indexOf(label) === letters.lastIndexOf(label);
  const labelled = (label: string): boolean => !all.includes(label) && alone(label);
  const output = right ?? all + [...new Set(letters)].filter(labelled).toSorted().join("");
  const size = new Map<string, number>();
  for (const [i, term] of terms.entries())
    for (const [d, label] of [...term].entries()) {
      const known = size.get(label) ?? 1;
      const own = operands[i]!.dims[d]!;
      if (known !== own && known !== 1 && own !== 1) fail(node, `label ${label} has sizes ${known} and ${own}`);
      size.set(label, own === 1 ? known : own);
    }
  const labels = [...new Set(output + letters)];
  const dims = labels.map((label) => size.get(label) ?? fail(node, `label ${label} is in no operand`));
  const stridesFor = (term: string, sizes: readonly number[]): number[] => {
    const own = stridesOf(sizes);
    return labels.map((label) =>
      [...term].reduce((sum, l, d) => (l === label && sizes[d] !== 1 ? sum + own[d]! : sum), 0),
    );
  };
  const outDims = [...output].map((label) => size.get(label)!);
  const to = walkOffsets(dims, stridesFor(output, outDims));
  const from = operands.map((x, i) => walkOffsets(dims, stridesFor(terms[i]!, x.dims)));
  const data = operands.map(floatsOf);
  const out = new Float64Array(sizeOf(outDims));
  for (let k = 0; k < to.length; k++) out[to[k]!]! += data.reduce((p, x, i) => p * x[from[i]![k]!]!, 1);
  return [fromNumbers(operands[0]!.dtype, outDims, out)];
};
