/** Forms of operators that the reference engine knows but refuses: names of node vectors, with the reason. */
export const refused: readonly (readonly [RegExp, string])[] = [
  [/^test_cast.*(FLOAT8|INT4)/, "no arithmetic on 8-bit floats and 4-bit integers"],
  [/^test_maxunpool_export_with_output_shape$/, "indices that count in another shape"],
  [/^test_cast.*STRING/, "texts and numbers do not turn into each other"],
  [/^test_batchnorm_.*training/, "inference only"],
  [/^test_training_dropout(_default)?(_mask)?$/, "inference only"],
  [/^test_identity_(opt|sequence)$/, "tensors only"],
  [/^test_(if_(opt|seq)|loop13_seq|loop16_seq_none)$/, "tensors only"],
  [/^test_(quantize|dequantize)linear_(e4m3fn|e5m2|u?int4|float4)/, "no arithmetic on 8-bit floats and 4-bit integers"],
  [/^test_resize_.*antialias/, "antialias"],
  [/^test_resize_.*not_(larger|smaller)/, "keep_aspect_ratio_policy"],
];

/** Vectors whose inputs and outputs were rounded for print, with the decimals that are left. */
export const rounded: readonly (readonly [RegExp, number])[] = [
  [/^test_(gridsample_bicubic|roialign_aligned_(true|false))$/, 4],
];

/** Vectors whose expected values we do not follow, with the reason. */
export const disputed: readonly (readonly [RegExp, string])[] = [
  [
    /^test_qlinearmatmul_.D_int8/,
    "expects what is too large for int8 to wrap around; the specification and ONNX Runtime saturate",
  ],
  [/^test_dynamicquantizelinear_expanded$/, "rounds a quotient that is a half in float32 only; we divide in float64"],
  [/^test_cast(like)?_(FLOAT_to_BFLOAT16|BFLOAT16_to_FLOAT)/, "the files store bfloat16 under the name of uint16"],
  [
    /^test_resize_downsample_scales_(cubic|linear)_align_corners$/,
    "expects the corners of the unrounded output size (4 * 0.6 = 2.4); ONNX Runtime and we take the size made (2)",
  ],
  [
    /^test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True$/,
    "expects what a last window reaches beyond the padding to count; opset 19 says, and ONNX Runtime does, that it does not",
  ],
];
