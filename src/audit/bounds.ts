import { valueRange, type Dataset } from "../data/index.ts";

/**
 * The input range that data speak for themselves: bytes are 0 to 255. Null when they do not (floats may come from any
 * scaling): then the user has to say.
 */
export function boundsOf(data: Dataset): readonly [number, number] | null {
  if (data.storedAs === "uint8") return [0, 255];
  if (data.schema === null) return null;
  const { low, high } = valueRange(data);
  return [low, high];
}
