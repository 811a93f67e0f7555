import { dimsIn, inferTypes } from "../ir/index.ts";
import type { DimsOf, Model } from "../ir/index.ts";

/** What is known of each value's shape before a run. */
export function shapesOf(model: Model): DimsOf {
  return dimsIn(inferTypes(model).graph);
}
