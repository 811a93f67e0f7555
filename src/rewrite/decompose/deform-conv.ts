import { getInt, getInts, int } from "../../ir/index.ts";
import { sampled, weighted, type Axis } from "./between-entries.ts";
import { floats, given, rankOf, refuse, sizeAt, whole, type Decomposition } from "./context.ts";

// y = Σ over taps of w·mask·x(tap + offset), x read between its entries
export const DeformConv: Decomposition = (s) => {
  const { b, node } = s;
  const [x, w, offset] = node.inputs as [string, string, string];
  if (rankOf(s, x) !== 4) return refuse(s, "only two spatial axes");
  const [channels, height, width] = [1, 2, 3].map((a) => sizeAt(s, x, a, "the size of its input")) as [
    number,
    number,
    number,
  ];
  const [outs, , kh, kw] = [0, 1, 2, 3].map((a) => sizeAt(s, w, a, "the size of its kernel")) as [
    number,
    number,
    number,
    number,
  ];
  const [oh, ow] = [2, 3].map((a) => sizeAt(s, offset, a, "the size of its output")) as [number, number];
  const group = getInt(node, "group", 1);
  const parts = getInt(node, "offset_group", 1);
  const [strides, dilations] = [getInts(node, "strides") ?? [1, 1], getInts(node, "dilations") ?? [1, 1]];
  const pads = getInts(node, "pads") ?? [0, 0, 0, 0];
  const taps = kh * kw;
  const places = oh * ow;
  // [N · parts, taps, 2, places]
  const moves = b.reshape(offset, [-1, taps, 2, places]);
  const axes = [height, width].map((size, a): Axis => {
    const rest = new Float64Array(taps * places);
    for (let k = 0; k < rest.length; k++) {
      const [tap, place] = [Math.floor(k / places), k % places];
      const [t, p] = a === 0 ? [Math.floor(tap / kw), Math.floor(place / ow)] : [tap % kw, place % ow];
      rest[k] = p * strides[a]! - pads[a]! + t * dilations[a]!;
    }
    const own = b.op("Gather", [moves, whole(s, a)], { axis: int(2) });
    return { at: b.reshape(b.add(own, floats(s, [taps, places], rest)), [0, -1]), size };
  });
  const each = channels / parts;
  const image = b.reshape(x, [-1, each, height, width]);
  const read = weighted(s, sampled(s, image, axes, { mode: "linear", padding: "zeros", corners: true }, each));
  const mask = given(s, 4);
  const scaled = mask === null ? read : b.mul(read, b.reshape(mask, [-1, taps * places, 1]));
  // [N, group, channels of a group · taps, places]
  const columns = b.reshape(b.transpose(scaled, [0, 2, 1]), [-1, group, (channels / group) * taps, places]);
  const product = b.matmul(b.reshape(w, [group, outs / group, -1]), columns);
  const y = b.reshape(product, [-1, outs, oh, ow]);
  const bias = given(s, 3);
  return [bias === null ? y : b.add(y, b.unsqueeze(bias, [1, 2]))];
};
