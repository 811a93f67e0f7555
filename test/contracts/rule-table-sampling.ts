import { at, float, int, int64, ints, row, string, type InputSpec, type Row } from "./rule-rows.ts";
import { newer } from "./rule-table-decomposed.ts";
import { apply, one } from "./rule-table.ts";

type B = Parameters<Parameters<typeof row>[3]>[0];

/** Points between -1.3 and 1.3: some lie outside. */
const points = (...dims: number[]): InputSpec => ({ dims, from: [-1.3, 1.3] });

const gridRows: Row[] = ["linear", "cubic", "nearest"].flatMap((mode) =>
  ["zeros", "border", "reflection"].flatMap((padding) =>
    [0, 1].map((corners) =>
      row(
        "GridSample",
        `${mode}, ${padding}, align_corners ${corners}`,
        // Flat by the grid where the nearest entry is taken.
        { x: at(2, 2, 4, 5), grid: { ...points(2, 3, 2, 2), fixed: mode === "nearest" } },
        apply("GridSample", { mode: string(mode), padding_mode: string(padding), align_corners: int(corners) }),
      ),
    ),
  ),
);

const signal = (
  label: string,
  x: InputSpec,
  attributes: Parameters<typeof apply>[1],
  args: (b: B) => string[],
  more: Partial<Row> = {},
) => row("DFT", label, { x }, (b, [v]) => b.op("DFT", [v!, ...args(b)], attributes), more);

const scalar = (b: B, v: number): string => b.constant(int64([], [v]));

const rois: InputSpec = {
  dims: [3, 4],
  data: [0.3, 0.7, 3.2, 4.4, 1.1, 0.2, 4.3, 2.9, -1.5, 0.4, 5.9, 3.3],
};
const region = (b: B): string => b.constant(int64([3], [0, 1, 0]));

/** Rows of the operators that read between entries, and of those of signals and sequences. */
export const samplingRows: readonly Row[] = [
  ...gridRows,
  row(
    "GridSample",
    "volume",
    { x: at(1, 2, 3, 4, 2), grid: points(1, 2, 3, 1, 3) },
    apply("GridSample", { padding_mode: string("border") }),
  ),
  row(
    "GridSample",
    "dynamic batch, exactly on the entries",
    {
      x: { dims: [1, 1, 3, 3], declared: ["n", 1, 3, 3] },
      grid: { dims: [1, 1, 3, 2], data: [-1, -1, 0, 0, 1, 1], declared: ["n", 1, 3, 2], fixed: true },
    },
    apply("GridSample", { align_corners: int(1) }),
  ),
  row("AffineGrid", "plane", { theta: at(2, 2, 3) }, (b, [t]) =>
    b.op("AffineGrid", [t!, b.constant(int64([4], [2, 3, 4, 5]))]),
  ),
  row("AffineGrid", "volume, align_corners", { theta: at(1, 3, 4) }, (b, [t]) =>
    b.op("AffineGrid", [t!, b.constant(int64([5], [1, 1, 2, 3, 2]))], { align_corners: int(1) }),
  ),
  row(
    "AffineGrid",
    "feeds GridSample",
    { x: at(1, 2, 4, 4), theta: { dims: [1, 2, 3], from: [-0.7, 0.7] } },
    (b, [x, t]) => b.op("GridSample", [x!, b.op("AffineGrid", [t!, b.shapeOf(x!)])]),
  ),
  ...["half_pixel", "output_half_pixel"].map((how) =>
    row("RoiAlign", `avg, ${how}`, { x: at(2, 2, 5, 6), rois }, (b, names) =>
      b.op("RoiAlign", [...names, region(b)], {
        coordinate_transformation_mode: string(how),
        output_height: int(2),
        output_width: int(3),
        sampling_ratio: int(2),
        spatial_scale: float(0.875),
      }),
    ),
  ),
  // Fewer points: no two of the compared terms may come near each other.
  row(
    "RoiAlign",
    "max",
    { x: { dims: [1, 1, 4, 4], from: [-9, 9], distinct: true }, rois: { dims: [1, 4], data: [0.4, 0.7, 3.3, 2.9] } },
    (b, names) =>
      b.op("RoiAlign", [...names, b.constant(int64([1], [0]))], {
        mode: string("max"),
        output_height: int(2),
        sampling_ratio: int(1),
      }),
  ),
  row(
    "MaxRoiPool",
    "bins that overlap, one that is empty",
    {
      x: { dims: [2, 2, 6, 5], distinct: true },
      rois: { dims: [3, 5], data: [0, 0.6, 1.2, 3.9, 5.1, 1, 1, 1, 2, 2, 0, 4, 3, 9, 9], fixed: true },
    },
    apply("MaxRoiPool", { pooled_shape: ints([2, 3]), spatial_scale: float(0.75) }),
  ),
  row("Unique", "sorted, flat", { x: { dims: [2, 3], distinct: true } }, (b, [x]) => b.op("Unique", [x!])),
  row(
    "Unique",
    "rows as they come, with indices",
    { x: { dims: [3, 2], distinct: true } },
    (b, [x]) => b.opN("Unique", [x!], 2, { axis: int(0), sorted: int(0) })[0]!,
  ),
  row(
    "DeformConv",
    "mask, bias, groups",
    {
      x: at(2, 4, 5, 4),
      w: at(4, 2, 2, 3),
      offset: { dims: [2, 24, 2, 4], from: [-1, 1], kinks: [-1, 0, 1] },
      b: at(4),
      mask: at(2, 12, 2, 4),
    },
    apply("DeformConv", {
      group: int(2),
      offset_group: int(2),
      pads: ints([0, 1, 1, 1]),
      strides: ints([2, 1]),
      dilations: ints([2, 1]),
    }),
  ),
  row(
    "DeformConv",
    "plain",
    { x: at(1, 1, 4, 4), w: at(1, 1, 2, 2), offset: { dims: [1, 8, 3, 3], from: [-1, 1], kinks: [-1, 0, 1] } },
    apply("DeformConv"),
  ),
  signal("real", at(2, 6, 1), {}, () => []),
  signal("complex, inverse, another axis", at(4, 3, 2), { inverse: int(1) }, (b) => ["", scalar(b, 0)]),
  signal("onesided, longer", at(2, 5, 1), { onesided: int(1) }, (b) => [scalar(b, 8)]),
  signal("shorter", at(2, 6, 2), {}, (b) => [scalar(b, 4), scalar(b, -2)]),
  signal("inverse of one side", at(2, 4, 2), { inverse: int(1), onesided: int(1) }, (b) => [scalar(b, 6)], {
    noOrt: "its answer has two numbers for each entry where the specification has one",
  }),
  row("STFT", "window", { x: at(2, 12, 1), w: at(4) }, (b, [x, w]) => b.op("STFT", [x!, scalar(b, 3), w!])),
  row("STFT", "both sides", { x: at(1, 9, 1) }, (b, [x]) =>
    b.op("STFT", [x!, scalar(b, 2), "", scalar(b, 5)], { onesided: int(0) }),
  ),
  one("Det", at(2, 3, 3)),
  one("Det", at(5, 5), {}, "one of 5 rows"),
  newer(
    23,
    row("RotaryEmbedding", "halves", { x: at(1, 2, 3, 4), c: at(5, 2), s: at(5, 2) }, (b, names) =>
      b.op("RotaryEmbedding", [...names, b.constant(int64([1, 3], [4, 0, 2]))]),
    ),
  ),
  newer(
    23,
    row(
      "RotaryEmbedding",
      "neighbours, in part, rank 3",
      { x: at(1, 3, 12), c: at(1, 3, 2), s: at(1, 3, 2) },
      apply("RotaryEmbedding", { interleaved: int(1), rotary_embedding_dim: int(4), num_heads: int(2) }),
      { noOrt: "ONNX Runtime wants position_ids for a part of the head" },
    ),
  ),
  newer(
    24,
    row("TensorScatter", "linear", { past: at(2, 2, 4, 3), update: at(2, 2, 2, 3) }, (b, names) =>
      b.op("TensorScatter", [...names, b.constant(int64([2], [0, 2]))]),
    ),
  ),
  newer(
    24,
    row("TensorScatter", "circular", { past: at(2, 4, 3), update: at(2, 2, 3) }, (b, names) =>
      b.op("TensorScatter", [...names, b.constant(int64([2], [3, 1]))], { mode: string("circular"), axis: int(1) }),
    ),
  ),
  ...[0, 1].flatMap((exclusive) =>
    [0, 1].map((reverse) =>
      newer(
        26,
        row("CumProd", `exclusive ${exclusive}, reverse ${reverse}`, { x: at(2, 5) }, (b, [x]) =>
          b.op("CumProd", [x!, scalar(b, 1)], { exclusive: int(exclusive), reverse: int(reverse) }),
        ),
      ),
    ),
  ),
  newer(
    26,
    row("CumProd", "with a zero", { x: { dims: [4], data: [1.5, 0, -0.5, 2] } }, (b, [x]) =>
      b.op("CumProd", [x!, scalar(b, 0)]),
    ),
  ),
];
