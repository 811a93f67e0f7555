import { getInt, getInts, GraphBuilder, type DimsOf, type Graph, type Node } from "../../ir/index.ts";
import { float32, type Tensor } from "../../tensor/index.ts";
import { onlyReaders, producers, readers } from "../uses.ts";

/**
 * Gives every LayerNormalization its mean and 1/deviation as outputs: the gradient reads them and need not normalize
 * again. Value names stay.
 */
export function withMoments(graph: Graph): Graph {
  const alone = (node: Node): boolean =>
    node.op === "LayerNormalization" && node.domain === "" && node.outputs.length === 1;
  if (!graph.nodes.some(alone)) return graph;
  const b = GraphBuilder.rewriting(graph);
  for (const node of graph.nodes) {
    if (!alone(node)) b.append(node);
    else b.append({ ...node, outputs: [...node.outputs, b.fresh("mean"), b.fresh("inverse")] });
  }
  return b.build();
}

/**
 * A LayerNormalization that only constant matrices read: s·n + β in front of x·W + c is n in front of x·(s·W) + (βW + c),
 * so its scale and bias go into the constants, and its gradient needs neither. Since the entries of n have the mean 0, the
 * columns of the matrix are brought to the mean 0 too: then so are the rows of the gradient by n, and `withoutMeans`
 * finds nothing left to subtract. Values differ by rounding. Value names stay but for the normalized one's.
 */
export function normalizeToLinear(graph: Graph, dimsOf: DimsOf): Graph {
  const readBy = readers(graph);
  const isOutput = new Set(graph.outputs.map((o) => o.name));
  const constant = (name: string | undefined, rank: number): Tensor<"float32"> | null => {
    const value = graph.constants.get(name ?? "");
    return value?.dtype === "float32" && value.dims.length === rank ? (value as Tensor<"float32">) : null;
  };
  const onlyReader = onlyReaders(graph);
  const b = GraphBuilder.rewriting(graph);
  const replaced = new Map<Node, readonly Node[]>();

  for (const node of graph.nodes) {
    if (node.op !== "LayerNormalization" || node.domain !== "") continue;
    const [x, scaleName, biasName = ""] = node.inputs as [string, string, string?];
    const y = node.outputs[0]!;
    const scale = constant(scaleName, 1);
    const bias = biasName === "" ? null : constant(biasName, 1);
    const axis = getInt(node, "axis", -1);
    const d = scale?.dims[0] ?? 0;
    const rank = dimsOf(x)?.length ?? 0;
    if (scale === null || (biasName !== "" && bias === null) || dimsOf(x)?.at(-1) !== d) continue;
    if (isOutput.has(y) || (axis !== -1 && axis !== rank - 1)) continue;
    const layers = readBy.get(y) ?? [];
    const linear = ({ op, inputs: [a, w] }: Node): boolean =>
      op === "MatMul" && a === y && onlyReader(w!) !== null && constant(w, 2)?.dims[0] === d;
    if (layers.length === 0 || !layers.every(linear)) continue;
    replaced.set(node, [{ ...node, inputs: [x, b.ones([d])] }]);
    for (const layer of layers) {
      const { weights, shift } = through(constant(layer.inputs[1], 2)!, scale.data, bias?.data ?? null);
      const inputs = [y, b.constant(weights, layer.inputs[1]!)];
      const out = layer.outputs[0]!;
      if (shift === null) {
        replaced.set(layer, [{ ...layer, inputs }]);
        continue;
      }
      const next = onlyReader(out);
      const add = next?.op === "Add" ? next : null;
      const own =
        add === null
          ? null
          : constant(
              add.inputs.find((name) => name !== out),
              1,
            );
      if (add !== null && own?.dims[0] === shift.length) {
        replaced.set(layer, [{ ...layer, inputs }]);
        const sum = b.constant(
          float32(
            own.dims,
            own.data.map((v, i) => v + shift[i]!),
          ),
          "bias",
        );
        replaced.set(add, [{ ...add, inputs: [out, sum] }]);
        continue;
      }
      const product = b.fresh(out);
      const added = { op: "Add", domain: "", attributes: {}, outputs: [out] };
      replaced.set(layer, [
        { ...layer, inputs, outputs: [product] },
        {
          ...added,
          name: b.fresh(`${out}_bias`),
          inputs: [product, b.constant(float32([shift.length], shift), "bias")],
        },
      ]);
    }
  }
  if (replaced.size === 0) return graph;
  for (const node of graph.nodes) for (const made of replaced.get(node) ?? [node]) b.append(made);
  return b.build();
}

/** Matrix and shift of n ↦ (s·n + β)·W, the columns of the matrix with mean 0; no shift where β is 0. */
function through({ dims, data }: Tensor<"float32">, s: Float32Array, beta: Float32Array | null) {
  const [d, p] = dims as [number, number];
  const means = new Float64Array(p);
  const shift = new Float64Array(p);
  const out = new Float32Array(d * p);
  for (let i = 0; i < d; i++) {
    const [scale, offset] = [s[i]! / d, beta?.[i] ?? 0];
    for (let j = 0, k = i * p; j < p; j++, k++) {
      means[j]! += scale * data[k]!;
      shift[j]! += offset * data[k]!;
    }
  }
  for (let i = 0; i < d; i++) {
    const scale = s[i]!;
    for (let j = 0, k = i * p; j < p; j++, k++) out[k] = scale * data[k]! - means[j]!;
  }
  return { weights: float32(dims, out), shift: shift.some((v) => v !== 0) ? Float32Array.from(shift) : null };
}

/** Largest sum of a column that counts as rounding of 0, against the sum of its sizes. */
const ROUNDING = 1e-6;

/**
 * Takes out x - mean(x) along the last axis where x is a product with a constant matrix whose rows have mean 0, or a sum
 * of such products: there is nothing to subtract. Value names stay.
 */
export function withoutMeans(graph: Graph, dimsOf: DimsOf): Graph {
  const madeBy = producers(graph);
  const known = new Map<string, boolean>();
  /** Whether the sums along an axis of a constant matrix are 0. */
  const balanced = (name: string, axis: number): boolean => {
    const w = graph.constants.get(name);
    if (w?.dtype !== "float32" || w.dims.length !== 2) return false;
    const key = `${axis} ${name}`;
    const found = known.get(key) ?? sumsToZero(w as Tensor<"float32">, axis);
    known.set(key, found);
    return found;
  };
  const centred = (name: string): boolean => {
    const node = madeBy.get(name);
    if (node?.op === "Add") return node.inputs.every((input) => dimsOf(input)?.length !== 1 && centred(input));
    if (node?.op !== "MatMul") return false;
    const w = node.inputs[1]!;
    const turned = madeBy.get(w);
    return turned?.op === "Transpose" ? balanced(turned.inputs[0]!, 0) : balanced(w, 1);
  };
  const idle = (node: Node): boolean => {
    const mean = node.op === "Sub" && node.domain === "" ? madeBy.get(node.inputs[1]!) : undefined;
    const x = node.inputs[0]!;
    if (mean?.op !== "ReduceMean" || mean.inputs[0] !== x || getInt(mean, "keepdims", 1) === 0) return false;
    const value = graph.constants.get(mean.inputs[1] ?? "");
    const axes = value === undefined ? getInts(mean, "axes") : Array.from(value.data as BigInt64Array, Number);
    const last = (dimsOf(x)?.length ?? 0) - 1;
    return axes?.length === 1 && (axes[0] === -1 || axes[0] === last) && centred(x);
  };
  if (!graph.nodes.some(idle)) return graph;
  const nodes = graph.nodes.map((node) =>
    idle(node) ? { ...node, op: "Identity", inputs: node.inputs.slice(0, 1), attributes: {} } : node,
  );
  return { ...graph, nodes };
}

function sumsToZero({ dims, data }: Tensor<"float32">, axis: number): boolean {
  const [d, p] = dims as [number, number];
  const sums = new Float64Array(axis === 0 ? p : d);
  const sizes = new Float64Array(sums.length);
  for (let i = 0; i < d; i++) {
    for (let j = 0, k = i * p; j < p; j++, k++) {
      const at = axis === 0 ? j : i;
      sums[at]! += data[k]!;
      sizes[at]! += Math.abs(data[k]!);
    }
  }
  return sums.every((sum, i) => Math.abs(sum) <= ROUNDING * sizes[i]!);
}
