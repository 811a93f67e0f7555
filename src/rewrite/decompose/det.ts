import { int } from "../../ir/index.ts";
import { rankOf, refuse, sizeAt, upTo, whole, type Decomposition } from "./context.ts";

/** Largest matrix whose determinant is written out: 2ⁿ·n products. */
const LARGEST = 8;

// det A, expanded along the rows: the minor of the first k rows for every choice of k columns
export const Det: Decomposition = (s) => {
  const { b, node } = s;
  const x = node.inputs[0]!;
  const rank = rankOf(s, x);
  const n = sizeAt(s, x, rank - 1, "the size of its matrices");
  if (n > LARGEST)
    return refuse(
      s,
      `matrices of ${n} rows; expected at most ${LARGEST}: a larger one needs an inverse, which ONNX does not have`,
    );
  const entries = upTo(n).map((i) => {
    const row = b.op("Gather", [x, whole(s, i)], { axis: int(rank - 2) });
    return upTo(n).map((j) => b.op("Gather", [row, whole(s, j)], { axis: int(rank - 2) }));
  });
  let minors = new Map<number, string>(upTo(n).map((j) => [1 << j, entries[0]![j]!]));
  for (let k = 1; k < n; k++) {
    const next = new Map<number, string>();
    for (let chosen = 1; chosen < 1 << n; chosen++) {
      const columns = upTo(n).filter((j) => (chosen & (1 << j)) !== 0);
      if (columns.length !== k + 1) continue;
      const terms = columns.map((j) => b.mul(entries[k]![j]!, minors.get(chosen & ~(1 << j))!));
      const signed = terms.map((term, i) => ((k + i) % 2 === 0 ? term : b.neg(term)));
      next.set(
        chosen,
        signed.reduce((sum, term) => b.add(sum, term)),
      );
    }
    minors = next;
  }
  return [minors.get((1 << n) - 1) ?? refuse(s, "an empty matrix")];
};
