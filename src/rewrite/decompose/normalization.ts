import { getFloat, getInt, getInts } from "../../ir/index.ts";
import { floats, mean, num, rankOf, refuse, sizeAt, upTo, type Decomposition } from "./context.ts";

// y = s·n + b, n normalized over each group of channels and space. Opset 18: s and b by group; later: by channel.
export const GroupNormalization: Decomposition = (s) => {
  const { b, node } = s;
  const [x, scale, bias] = node.inputs as [string, string, string];
  const groups = getInt(node, "num_groups", 0);
  if (groups < 1) return refuse(s, `num_groups ${groups}`);
  const fill = (value: number): string => floats(s, [groups], new Float64Array(groups).fill(value));
  const byGroup = s.opset < 21;
  const n = b.op(
    "InstanceNormalization",
    [b.reshape(x, [0, groups, -1]), byGroup ? scale : fill(1), byGroup ? bias : fill(0)],
    node.attributes["epsilon"] === undefined ? {} : { epsilon: node.attributes["epsilon"] },
  );
  if (byGroup) return [b.reshapeLike(n, x)];
  const channels = sizeAt(s, scale, 0, "the number of channels");
  const flat = b.reshape(n, [0, channels, -1]);
  return [b.reshapeLike(b.add(b.mul(flat, b.unsqueeze(scale, [1])), b.unsqueeze(bias, [1])), x)];
};

// y = s·x/√(mean x² + ε) over the axes from `axis` on
export const RMSNormalization: Decomposition = (s) => {
  const { b, node } = s;
  const [x, scale] = node.inputs as [string, string];
  const axis = getInt(node, "axis", -1);
  const axes = axis < 0 ? upTo(-axis).map((i) => axis + i) : upTo(rankOf(s, x), axis);
  const square = b.add(mean(s, b.mul(x, x), axes), num(s, getFloat(node, "epsilon", 1e-5)));
  return [b.mul(b.div(x, b.op("Sqrt", [square])), scale)];
};

// y = (x - mean x)/(std x + 1e-9)
export const MeanVarianceNormalization: Decomposition = (s) => {
  const { b, node } = s;
  const x = node.inputs[0]!;
  const axes = getInts(node, "axes") ?? [0, 2, 3];
  const centred = b.sub(x, mean(s, x, axes));
  const deviation = b.op("Sqrt", [mean(s, b.mul(centred, centred), axes)]);
  return [b.div(centred, b.add(deviation, num(s, 1e-9)))];
};

// y = x·σ(αx)
export const Swish: Decomposition = (s) => {
  const x = s.node.inputs[0]!;
  const alpha = getFloat(s.node, "alpha", 1);
  return [s.b.mul(x, s.b.op("Sigmoid", [alpha === 1 ? x : s.b.mul(x, num(s, alpha))]))];
};
