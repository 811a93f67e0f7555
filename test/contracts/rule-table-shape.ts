import { at, float, float32, int, int64, ints, row, string, tensor, type Row } from "./rule-rows.ts";
import { apply, one } from "./rule-table.ts";

const bool = (dims: number[], data: number[]) => tensor("bool", dims, Uint8Array.from(data));

/** Rows of the operators that move or choose elements. */
export const movingRows: readonly Row[] = [
  row("Reshape", "plain", { x: at(2, 6) }, (b, [x]) => b.reshape(x!, [3, -1])),
  one("Flatten", at(2, 3, 2), { axis: int(2) }),
  row("Squeeze", "axes", { x: at(2, 1, 3, 1) }, (b, [x]) => b.squeeze(x!, [1])),
  row("Squeeze", "all", { x: at(2, 1, 3, 1) }, (b, [x]) => b.op("Squeeze", [x!])),
  row("Unsqueeze", "plain", { x: at(2, 3) }, (b, [x]) => b.unsqueeze(x!, [0, -1])),
  one("Identity", at(2, 3)),
  one("Transpose", at(2, 3, 4), { perm: ints([2, 0, 1]) }),
  one("Transpose", at(2, 3, 4), {}, "reversed"),
  row("Concat", "three", { x: at(2, 3), y: at(2, 1), z: at(2, 2) }, apply("Concat", { axis: int(1) })),
  row(
    "Concat",
    "dynamic",
    { x: { dims: [2, 3], declared: ["n", 3] }, y: { dims: [1, 3], declared: ["m", 3] } },
    apply("Concat", { axis: int(0) }),
  ),
  row(
    "Split",
    "one half used",
    { x: at(2, 5) },
    (b, [x]) => b.opN("Split", [x!, b.indices([2, 3])], 2, { axis: int(1) })[1]!,
  ),
  row("Split", "all used", { x: at(4, 3) }, (b, [x]) => b.opN("Split", [x!], 2, { num_outputs: int(2) })),
  row("Slice", "step 1", { x: at(4, 5) }, (b, [x]) => b.op("Slice", [x!, b.indices([1, -3]), b.indices([3, 100])])),
  row("Slice", "step 2", { x: at(5, 3) }, (b, [x]) =>
    b.op("Slice", [x!, b.indices([0]), b.indices([5]), b.indices([0]), b.indices([2])]),
  ),
  row("Slice", "backwards", { x: at(2, 5) }, (b, [x]) =>
    b.op("Slice", [x!, b.indices([-1]), b.indices([-100]), b.indices([1]), b.indices([-1])]),
  ),
  row("Slice", "part backwards", { x: at(2, 5) }, (b, [x]) =>
    b.op("Slice", [x!, b.indices([3]), b.indices([0]), b.indices([1]), b.indices([-1])]),
  ),
  row("Slice", "dynamic", { x: { dims: [4, 2], declared: ["n", 2] } }, (b, [x]) =>
    b.op("Slice", [x!, b.indices([1]), b.indices([3]), b.indices([0])]),
  ),
  row("Pad", "constant", { x: at(2, 3), v: at() }, (b, [x, v]) => b.op("Pad", [x!, b.indices([1, 0, 2, 1]), v!])),
  row("Pad", "cropping", { x: at(3, 4) }, (b, [x]) => b.op("Pad", [x!, b.indices([-1, 2, 1, -1])])),
  row("Pad", "axes", { x: at(2, 3) }, (b, [x]) => b.op("Pad", [x!, b.indices([1, 2]), "", b.indices([1])])),
  row("Pad", "reflect", { x: at(3, 4) }, (b, [x]) =>
    b.op("Pad", [x!, b.indices([1, 2, 0, 3])], { mode: string("reflect") }),
  ),
  row("Pad", "edge", { x: at(3, 4) }, (b, [x]) => b.op("Pad", [x!, b.indices([1, 2, 0, 3])], { mode: string("edge") })),
  row("Expand", "plain", { x: at(3, 1) }, (b, [x]) => b.op("Expand", [x!, b.indices([2, 1, 4])])),
  row("Expand", "dynamic", { x: { dims: [3, 1], declared: [null, null] } }, (b, [x]) =>
    b.op("Expand", [x!, b.indices([2, 1, 4])]),
  ),
  row("Tile", "plain", { x: at(2, 3) }, (b, [x]) => b.op("Tile", [x!, b.indices([3, 2])])),
  one("SpaceToDepth", at(1, 2, 4, 6), { blocksize: int(2) }),
  one("DepthToSpace", at(1, 8, 2, 3), { blocksize: int(2) }),
  one("DepthToSpace", at(1, 8, 2, 3), { blocksize: int(2), mode: string("CRD") }, "CRD"),
  row("Cast", "to double and back", { x: at(2, 3) }, (b, [x]) =>
    b.op("Cast", [b.op("Exp", [b.op("Cast", [x!], { to: int(11) })])], { to: int(1) }),
  ),
  row("CastLike", "plain", { x: at(2, 3) }, (b, [x]) => b.op("CastLike", [x!, b.scalar(1)])),
  ...[0, 1].flatMap((exclusive) =>
    [0, 1].map((reverse) =>
      row("CumSum", `exclusive=${exclusive} reverse=${reverse}`, { x: at(2, 4) }, (b, [x]) =>
        b.op("CumSum", [x!, b.constant(int64([], [1]))], { exclusive: int(exclusive), reverse: int(reverse) }),
      ),
    ),
  ),
  one("Trilu", at(2, 3, 4)),
  row("Trilu", "lower, shifted", { x: at(3, 4) }, (b, [x]) =>
    b.op("Trilu", [x!, b.constant(int64([], [1]))], { upper: int(0) }),
  ),
  row("Gather", "repeated, from the end", { x: at(4, 3) }, (b, [x]) =>
    b.op("Gather", [x!, b.constant(int64([2, 2], [1, 1, -1, 0]))]),
  ),
  row("Gather", "inner axis", { x: at(2, 3, 2) }, (b, [x]) =>
    b.op("Gather", [x!, b.constant(int64([], [1]))], { axis: int(1) }),
  ),
  row("Gather", "one from the end", { x: at(2, 3) }, (b, [x]) => b.op("Gather", [x!, b.constant(int64([], [-2]))])),
  row("Gather", "the only one", { x: at(2, 1, 2) }, (b, [x]) =>
    b.op("Gather", [x!, b.constant(int64([], [0]))], { axis: int(1) }),
  ),
  row("Gather", "repeated along an inner axis", { x: at(2, 3, 2) }, (b, [x]) =>
    b.op("Gather", [x!, b.constant(int64([4], [1, -1, 1, 0]))], { axis: int(1) }),
  ),
  row("GatherElements", "plain", { x: at(3, 3) }, (b, [x]) =>
    b.op("GatherElements", [x!, b.constant(int64([2, 3], [0, 1, 2, 2, 1, -1]))], { axis: int(0) }),
  ),
  row("GatherND", "plain", { x: at(3, 2, 2) }, (b, [x]) =>
    b.op("GatherND", [x!, b.constant(int64([2, 2], [0, 1, 2, 0]))]),
  ),
  row("GatherND", "batched", { x: at(2, 3, 2) }, (b, [x]) =>
    b.op("GatherND", [x!, b.constant(int64([2, 1], [1, 2]))], { batch_dims: int(1) }),
  ),
  ...(["none", "add"] as const).flatMap((mode) => [
    row("ScatterElements", mode, { x: at(3, 3), u: at(2, 3) }, (b, [x, u]) =>
      b.op("ScatterElements", [x!, b.constant(int64([2, 3], [0, 1, 2, 1, 0, 0])), u!], { reduction: string(mode) }),
    ),
    row("ScatterND", mode, { x: at(4, 2), u: at(2, 2) }, (b, [x, u]) =>
      b.op("ScatterND", [x!, b.constant(int64([2, 1], [3, 1])), u!], { reduction: string(mode) }),
    ),
  ]),
  row(
    "TopK",
    "largest",
    { x: { dims: [2, 5], distinct: true } },
    (b, [x]) => b.opN("TopK", [x!, b.indices([3])], 2, { axis: int(1) })[0]!,
  ),
  row(
    "TopK",
    "smallest, inner axis",
    { x: { dims: [2, 4, 2], distinct: true } },
    (b, [x]) => b.opN("TopK", [x!, b.indices([2])], 2, { axis: int(1), largest: int(0) })[0]!,
  ),
  row(
    "Einsum",
    "attention",
    { q: at(2, 3, 4), k: at(2, 5, 4) },
    apply("Einsum", { equation: string("bqd, bkd -> bqk") }),
  ),
  row(
    "Einsum",
    "three operands, one axis summed alone",
    { a: at(2, 3, 2), c: at(3, 4), d: at(4) },
    apply("Einsum", { equation: string("ijs,jk,k->ik") }),
  ),
  row("Einsum", "implicit output", { a: at(2, 3), c: at(3, 4) }, apply("Einsum", { equation: string("ij,jk") })),
  row("Where", "broadcast", { x: at(2, 3), y: at(1) }, (b, [x, y]) =>
    b.op("Where", [b.constant(bool([3], [1, 0, 1])), x!, y!]),
  ),
  row(
    "Clip",
    "bounds",
    { x: { dims: [3, 4], kinks: [-1, 1] }, l: { dims: [], data: [-1] }, h: { dims: [], data: [1] } },
    apply("Clip"),
  ),
  row("Clip", "one bound", { x: { dims: [3, 4], kinks: [0.5] } }, (b, [x]) => b.op("Clip", [x!, "", b.scalar(0.5)])),
  one("Dropout", at(2, 3)),
  row("Resize", "repeats", { x: at(1, 2, 2, 3) }, (b, [x]) =>
    b.op("Resize", [x!, "", b.constant(float32([4], [1, 1, 2, 3]))], {
      mode: string("nearest"),
      coordinate_transformation_mode: string("asymmetric"),
      nearest_mode: string("floor"),
    }),
  ),
  row("Resize", "nearest", { x: at(1, 1, 3, 4) }, (b, [x]) =>
    b.op("Resize", [x!, "", "", b.indices([1, 1, 5, 7])], { mode: string("nearest") }),
  ),
  row("Resize", "linear", { x: at(1, 2, 3, 4) }, (b, [x]) =>
    b.op("Resize", [x!, "", b.constant(float32([4], [1, 1, 2, 1.5]))], { mode: string("linear") }),
  ),
  row("Resize", "linear, corners", { x: at(1, 1, 3, 4) }, (b, [x]) =>
    b.op("Resize", [x!, "", "", b.indices([1, 1, 5, 2])], {
      mode: string("linear"),
      coordinate_transformation_mode: string("align_corners"),
    }),
  ),
  row("Resize", "cubic", { x: at(1, 1, 4, 5) }, (b, [x]) =>
    b.op("Resize", [x!, "", b.constant(float32([4], [1, 1, 2, 0.8]))], { mode: string("cubic") }),
  ),
  row("Resize", "cubic, inside only", { x: at(1, 1, 4, 5) }, (b, [x]) =>
    b.op("Resize", [x!, "", "", b.indices([1, 1, 6, 9])], {
      mode: string("cubic"),
      cubic_coeff_a: float(-0.5),
      exclude_outside: int(1),
    }),
  ),
  ...["half_pixel", "pytorch_half_pixel", "asymmetric", "half_pixel_symmetric"].map((mode) =>
    row("Resize", `linear, ${mode}`, { x: at(1, 1, 3, 4) }, (b, [x]) =>
      b.op("Resize", [x!, "", b.constant(float32([4], [1, 1, 2.5, 0.6]))], {
        mode: string("linear"),
        coordinate_transformation_mode: string(mode),
      }),
    ),
  ),
  row("Resize", "linear, part of the image", { x: at(1, 1, 4, 5) }, (b, [x]) =>
    b.op("Resize", [x!, b.constant(float32([8], [0, 0, 0.2, -0.3, 1, 1, 0.9, 1.1])), "", b.indices([1, 1, 3, 6])], {
      mode: string("linear"),
      coordinate_transformation_mode: string("tf_crop_and_resize"),
      extrapolation_value: float(3),
    }),
  ),
  ...(["mul", "max", "min"] as const).flatMap((mode) => [
    row(
      "ScatterElements",
      mode,
      { x: { dims: [3, 3], distinct: true }, u: { dims: [2, 3], from: [-1.9, 2.13], distinct: true } },
      (b, [x, u]) =>
        b.op("ScatterElements", [x!, b.constant(int64([2, 3], [0, 1, 2, 0, 1, 0])), u!], { reduction: string(mode) }),
    ),
    row(
      "ScatterND",
      mode,
      { x: { dims: [4, 2], distinct: true }, u: { dims: [3, 2], from: [-1.9, 2.13], distinct: true } },
      (b, [x, u]) => b.op("ScatterND", [x!, b.constant(int64([3, 1], [3, 1, 1])), u!], { reduction: string(mode) }),
    ),
  ]),
  row(
    "ScatterElements",
    "mul by zero",
    { x: at(3), u: { dims: [3], data: [0, 2, -1] } },
    (b, [x, u]) => b.op("ScatterElements", [x!, b.constant(int64([3], [1, 1, 2])), u!], { reduction: string("mul") }),
    { noSecond: "the rule divides by the updates, and looks away from those that are 0" },
  ),
  row("Compress", "axis", { x: at(3, 4) }, (b, [x]) =>
    b.op("Compress", [x!, b.constant(bool([3], [1, 0, 1]))], { axis: int(1) }),
  ),
  row("Compress", "flat", { x: at(2, 3) }, (b, [x]) => b.op("Compress", [x!, b.constant(bool([5], [0, 1, 1, 0, 1]))])),
  row("ReverseSequence", "plain", { x: at(4, 3, 2) }, (b, [x]) =>
    b.op("ReverseSequence", [x!, b.constant(int64([3], [4, 1, 3]))]),
  ),
  row("MaxUnpool", "plain", { x: at(1, 1, 2, 2) }, (b, [x]) =>
    b.op("MaxUnpool", [x!, b.constant(int64([1, 1, 2, 2], [0, 3, 9, 14]))], {
      kernel_shape: ints([2, 2]),
      strides: ints([2, 2]),
    }),
  ),
  row("CenterCropPad", "both", { x: at(5, 2, 3) }, (b, [x]) =>
    b.op("CenterCropPad", [x!, b.indices([2, 5])], { axes: ints([0, 1]) }),
  ),
  row("Col2Im", "overlapping, padded", { x: at(2, 8, 12) }, (b, [x]) =>
    b.op("Col2Im", [x!, b.indices([3, 4]), b.indices([2, 2])], { pads: ints([0, 0, 1, 1]) }),
  ),
  row("Einsum", "trace", { a: at(3, 3) }, apply("Einsum", { equation: string("ii") })),
  row("Einsum", "diagonal", { a: at(2, 3, 3) }, apply("Einsum", { equation: string("bii->bi") })),
  row("Einsum", "sum", { a: at(2, 3) }, apply("Einsum", { equation: string("ij->") })),
  row(
    "Einsum",
    "ellipsis",
    { a: at(2, 3, 4), c: at(2, 4, 2) },
    apply("Einsum", { equation: string("...ij,...jk->...ik") }),
  ),
  row(
    "Einsum",
    "ellipsis that broadcasts",
    { a: at(1, 2, 3), c: at(4, 1, 3) },
    apply("Einsum", { equation: string("...j,...j->...") }),
    { noOrt: "its Einsum wants equal axes under an ellipsis" },
  ),
];
