import { MarauderError } from "../../errors.ts";
import type { Trainable } from "../architectures.ts";

/**
 * The same model, of which only the last `count` layers are trained. A layer is a node with parameters of two axes and
 * more; biases and scales behind it go with it. Fewer parameters take less noise. Throws OPTION_RANGE.
 */
export function lastLayers(trainable: Trainable, count: number): Trainable {
  const { graph } = trainable.model;
  const origin = new Map<string, string>(trainable.parameters.map((name) => [name, name]));
  const layers: string[][] = [[]];
  for (const node of graph.nodes) {
    const own = node.inputs.flatMap((name) => origin.get(name) ?? []);
    const inputs = node.inputs.filter((name) => name !== "" && !graph.constants.has(name));
    if (own.length === 1 && inputs.every((name) => origin.has(name))) {
      for (const name of node.outputs) origin.set(name, own[0]!); // a parameter on its way: reshaped, transposed
      continue;
    }
    if (own.some((name) => graph.constants.get(name)!.dims.length > 1)) layers.push([]);
    layers.at(-1)!.push(...own);
  }
  const found = layers.slice(1).filter((names) => names.length > 0);
  if (!Number.isSafeInteger(count) || count < 1 || count > found.length) {
    throw new MarauderError(
      "OPTION_RANGE",
      `cannot train the last ${count} layers: the model has ${found.length} with weights; give 1 to ${found.length}`,
    );
  }
  const kept = new Set(found.slice(-count).flat());
  return { ...trainable, parameters: trainable.parameters.filter((name) => kept.has(name)) };
}
