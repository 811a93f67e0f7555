export type { Column, Dataset, RawTable, Schema } from "./dataset.ts";
export { openDataset, readArray, type OpenOptions } from "./open.ts";
export { concat, split, take, withFeatures, withLabels } from "./subset.ts";
export { readTable, tableDataset, type TableOptions } from "./table.ts";
export { npzBytes } from "./npz.ts";
export { writeTable } from "./write.ts";
