import { getInt, getString, int } from "../../ir/attributes.ts";
import type { GradientRule } from "../context.ts";
import { refuse, scatterAdd, scatterBack, zerosLike } from "../context.ts";

// y = x[indices] along an axis      dx = dy added up at the indices
export const Gather: GradientRule = (cx, [dy]) => {
  const [x, indices] = cx.node.inputs as [string, string];
  const axis = int(getInt(cx.node, "axis", 0));
  return [scatterBack(cx, x, dy!, (positions) => cx.b.op("Gather", [positions, indices], { axis }))];
};

// y[i] = x[indices[i]] along an axis
export const GatherElements: GradientRule = (cx, [dy]) => {
  const [x, indices] = cx.node.inputs as [string, string];
  return [scatterAdd(cx, cx.b.shapeOf(x), indices, dy!, getInt(cx.node, "axis", 0))];
};

// y = x[index tuples]
export const GatherND: GradientRule = (cx, [dy]) => {
  const [x, indices] = cx.node.inputs as [string, string];
  const batch_dims = int(getInt(cx.node, "batch_dims", 0));
  return [scatterBack(cx, x, dy!, (positions) => cx.b.op("GatherND", [positions, indices], { batch_dims }))];
};

// y = x with updates put (or added) at indices      dx = dy, but 0 where replaced      dupdates = dy at the indices
export const ScatterElements: GradientRule = (cx, [dy]) => {
  const { b, node, wants } = cx;
  const [, indices, updates] = node.inputs as [string, string, string];
  const axis = int(getInt(node, "axis", 0));
  const mode = getString(node, "reduction", "none");
  if (mode !== "none" && mode !== "add") return refuse(cx, `reduction ${JSON.stringify(mode)}`);
  const kept = (): string => b.op("ScatterElements", [dy!, indices, zerosLike(cx, updates)], { axis });
  return [
    wants(0) ? (mode === "add" ? dy! : kept()) : null,
    null,
    wants(2) ? b.op("GatherElements", [dy!, indices], { axis }) : null,
  ];
};

export const ScatterND: GradientRule = (cx, [dy]) => {
  const { b, node, wants } = cx;
  const [, indices, updates] = node.inputs as [string, string, string];
  const mode = getString(node, "reduction", "none");
  if (mode !== "none" && mode !== "add") return refuse(cx, `reduction ${JSON.stringify(mode)}`);
  const kept = (): string => b.op("ScatterND", [dy!, indices, zerosLike(cx, updates)]);
  return [wants(0) ? (mode === "add" ? dy! : kept()) : null, null, wants(2) ? b.op("GatherND", [dy!, indices]) : null];
};

// y, indices = the k largest (or smallest)      dx = dy put back at the indices
export const TopK: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  const indices = node.outputs[1] ?? "";
  if (indices === "") return refuse(cx, "its output Indices is left out");
  return [scatterAdd(cx, b.shapeOf(node.inputs[0]!), indices, dy!, getInt(node, "axis", -1))];
};
