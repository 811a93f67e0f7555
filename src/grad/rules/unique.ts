import { getInt, int } from "../../ir/attributes.ts";
import type { GradientRule } from "../context.ts";
import { scatterBack } from "../context.ts";

// y = x[indices], each value where it is met first      dx = dy put back there (where no two values are equal: a.e.)
export const Unique: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  const x = node.inputs[0]!;
  const given = node.outputs[1] ?? "";
  const indices = given === "" ? b.opN("Unique", node.inputs, 2, node.attributes)[1]! : given;
  const flat = node.attributes["axis"] === undefined;
  const axis = int(flat ? 0 : getInt(node, "axis", 0));
  return [
    scatterBack(cx, x, dy!, (positions) =>
      b.op("Gather", [flat ? b.reshape(positions, [-1]) : positions, indices], { axis }),
    ),
  ];
};
