import { constantValues, dimsIn, getInt, getInts, GraphBuilder, inferTypes, toNumber } from "../../ir/index.ts";
import type { Model, Node } from "../../ir/index.ts";
import { producers } from "../uses.ts";

/** Pieces that were joined along an axis, and the operators that only moved axes since, in their order. */
interface Joined {
  readonly pieces: readonly string[];
  readonly sizes: readonly number[];
  readonly moves: readonly Node[];
}

/** One piece of what a node cuts out: its place among the joined ones, and whether its axis goes. */
interface Cut {
  readonly joined: Joined;
  readonly at: number;
  readonly squeezed: number | null;
}

/**
 * Pieces that are joined and cut apart again are taken as they were: a Split behind a Concat, and one entry (Gather, Slice)
 * of what was joined entry by entry, also where axes were moved in between. So recurrent layers hand over their steps,
 * and the gradient by the last step is not that of all steps with zeros for the others. Value names stay; values in
 * `keep` are not passed over. The model must speak opset 18 or later, its types inferred.
 */
export function reusePieces(model: Model, keep: ReadonlySet<string>): Model {
  const { graph } = model;
  const dims = dimsIn(graph);
  const madeBy = producers(graph);
  const constants = constantValues(graph);
  const numbers = (name: string | undefined): number[] | null => {
    const value = constants.get(name ?? "");
    return value?.dtype === "int64" ? Array.from(value.data as BigInt64Array, toNumber) : null;
  };

  /** What stands joined along `axis` of a value. */
  function joinedAt(value: string, axis: number, moves: readonly Node[] = []): Joined | null {
    const node = keep.has(value) ? undefined : madeBy.get(value);
    const rank = dims(value)?.length;
    if (node?.domain !== "" || rank === undefined) return null;
    const from = node.inputs[0]!;
    switch (node.op) {
      case "Identity":
        return joinedAt(from, axis, moves);
      case "Transpose":
        return joinedAt(from, getInts(node, "perm")?.[axis] ?? rank - 1 - axis, [node, ...moves]);
      case "Squeeze":
      case "Unsqueeze": {
        const wide = node.op === "Squeeze" ? dims(from)?.length : rank;
        const axes = numbers(node.inputs[1])?.map((a) => (a < 0 ? a + (wide ?? NaN) : a));
        if (wide === undefined || axes === undefined) return null;
        const [next] = moves;
        const same = (a: string): boolean => String(numbers(a)) === String(numbers(node.inputs[1]));
        const undone = node.op === "Unsqueeze" && next?.op === "Squeeze" && same(next.inputs[1] ?? "");
        const left = Array.from({ length: wide }, (_, i) => i).filter((i) => !axes.includes(i));
        const before = node.op === "Squeeze" ? left[axis]! : left.indexOf(axis);
        return before < 0 ? null : joinedAt(from, before, undone ? moves.slice(1) : [node, ...moves]);
      }
      case "Concat": {
        const sizes = node.inputs.map((name) => dims(name)?.[axis]);
        const along = getInt(node, "axis", 0);
        const same = (along < 0 ? along + rank : along) === axis && node.inputs.length > 1;
        return same && sizes.every((size) => typeof size === "number")
          ? { pieces: node.inputs, sizes: sizes as number[], moves }
          : null;
      }
      default:
        return null;
    }
  }

  /** For each output of a node the piece that it is, or null. */
  function cutsOf(node: Node): Cut[] | null {
    const rank = dims(node.inputs[0] ?? "")?.length;
    if (node.domain !== "" || rank === undefined) return null;
    const positive = (axis: number): number => (axis < 0 ? axis + rank : axis);
    const entry = (axis: number, index: number, squeezed: boolean): Cut[] | null => {
      const joined = joinedAt(node.inputs[0]!, axis);
      if (joined?.sizes.every((size) => size === 1) !== true) return null;
      const at = index < 0 ? index + joined.pieces.length : index;
      return at in joined.pieces ? [{ joined, at, squeezed: squeezed ? axis : null }] : null;
    };
    if (node.op === "Split") {
      const axis = positive(getInt(node, "axis", 0));
      const joined = joinedAt(node.inputs[0]!, axis);
      const same = node.outputs.length === joined?.pieces.length && !joined.moves.some(({ op }) => op === "Transpose");
      return same && node.outputs.every((name, i) => name !== "" && dims(name)?.[axis] === joined.sizes[i])
        ? node.outputs.map((_, at) => ({ joined, at, squeezed: null }))
        : null;
    }
    if (node.op === "Gather") {
      const index = numbers(node.inputs[1]);
      const scalar = dims(node.inputs[1]!)?.length === 0;
      return index?.length === 1 && scalar ? entry(positive(getInt(node, "axis", 0)), index[0]!, true) : null;
    }
    if (node.op !== "Slice") return null;
    const [starts, ends, axes, steps] = [1, 2, 3, 4].map((i) => numbers(node.inputs[i]));
    const single = starts?.length === 1 && axes?.length === 1 && (node.inputs.length < 5 || steps?.[0] === 1);
    if (!single || ends?.length !== 1) return null;
    const [from, to, axis] = [starts[0]!, ends[0]!, positive(axes[0]!)];
    const size = dims(node.inputs[0]!)?.[axis];
    const whole = typeof size === "number" ? size : Infinity;
    return (from === -1 ? to >= whole : to === from + 1) ? entry(axis, from, false) : null;
  }

  const found = new Map(
    graph.nodes.flatMap((node) => [[node, cutsOf(node)] as const]).filter(([, cuts]) => cuts !== null),
  );
  if (found.size === 0) return model;
  const b = GraphBuilder.rewriting(graph);
  for (const node of graph.nodes) {
    const cuts = found.get(node) ?? null;
    if (cuts === null) {
      b.append(node);
      continue;
    }
    for (const [i, { joined, at, squeezed }] of cuts.entries()) {
      const moved = joined.moves.reduce(
        (value, move) => b.op(move.op, [value, ...move.inputs.slice(1)], move.attributes),
        joined.pieces[at]!,
      );
      const value = squeezed === null ? moved : b.squeeze(moved, [squeezed]);
      const name = node.outputs[i]!;
      b.append({ op: "Identity", domain: "", name: `${name}_piece`, inputs: [value], outputs: [name], attributes: {} });
    }
  }
  return inferTypes({ ...model, graph: b.build() });
}
