import { tensor } from "../tensor/index.ts";
import type { Dataset } from "./dataset.ts";

/** The rows at the given positions, in that order, with their ids, groups and original cells. */
export function take(data: Dataset, rows: ArrayLike<number>): Dataset {
  const n = rows.length;
  const each = data.size === 0 ? 0 : data.features.data.length / data.size;
  const features = new Float32Array(n * each);
  const labels = data.labels === null ? null : new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const row = rows[i]!;
    features.set(data.features.data.subarray(row * each, (row + 1) * each), i * each);
    if (labels !== null) labels[i] = data.labels![row]!;
  }
  const pick = <T>(values: readonly T[]): T[] => Array.from(rows, (row) => values[row]!);
  return Object.freeze({
    ...data,
    size: n,
    features: tensor("float32", [n, ...data.features.dims.slice(1)], features),
    labels,
    rowIds: pick(data.rowIds),
    groups: Object.fromEntries(Object.entries(data.groups).map(([name, values]) => [name, pick(values)])),
    table: data.table === null ? null : { header: data.table.header, rows: pick(data.table.rows) },
  });
}
