import type { Model } from "../ir/index.ts";
import { sizeOf } from "../tensor/index.ts";

/** How many numbers a model consists of, in words for the report. */
export function parametersOf({ graph }: Model): string {
  const floats = [...graph.constants.values()].filter((t) => t.dtype.startsWith("float"));
  return `${floats.reduce((n, t) => n + sizeOf(t.dims), 0).toLocaleString("en")} parameters`;
}
