import { ortEngine, referenceEngine, type Engine } from "../engine/index.ts";
import { MarauderError } from "../errors.ts";
import { checkGradient, type GradientCheck } from "../grad/index.ts";
import { inferTypes, raiseOpset, tensorInfo, type Dim, type Graph, type Model, type ValueInfo } from "../ir/index.ts";
import { seeded } from "../random/index.ts";
import { dependents, hasFloat16, lowerLinear, producers, prune, widenFloat16 } from "../rewrite/index.ts";
import { cutAt, firstFloats } from "../rewrite/first-floats.ts";
import { withBasicOperators } from "../target/prepare-model.ts";
import { isFloat, sizeOf, tensor, type DType, type Tensor } from "../tensor/index.ts";
import { outcomeOf, type GradientOutcome } from "./gradient-outcome.ts";

export interface FileGradientCheck extends GradientOutcome {
  readonly directions: number;
  /** What computed it: the float64 interpreter; or the runtime in float32, for large models and where the other lacks an operator. */
  readonly engine: string;
  /** Inputs of floats; or, where the model takes none, the first floats that follow from its inputs. */
  readonly by: readonly string[];
  readonly of: readonly string[];
  /** Operators on which the outcome depends. */
  readonly operators: readonly string[];
}

export interface FileGradientOptions {
  readonly directions?: number;
  readonly seed?: number;
  /** Models of more constants than this run in float32, in ONNX Runtime: the float64 interpreter would take minutes. */
  readonly exactUpTo?: number;
  /** Most numbers of an input that are made up. */
  readonly mostInput?: number;
}

/** Shifts of the uniform inputs of [0, 1): a network can be dead at a point, and 0 = 0 says nothing. */
const SHIFTS = [0, -0.5, -1, -0.25, -0.75, 1];
/** Points tried where nothing flows, each drawn anew. */
const TRIES = 24;

/**
 * Compares the gradient of all outputs of floats by all inputs of floats with finite differences, for any file: sizes that
 * are open are taken as 2. Throws GRAD_NO_RULE and others where a model has no gradient,
 * MODEL_INPUT where nothing in it is a float.
 */
export async function checkFileGradient(file: Model, options: FileGradientOptions = {}): Promise<FileGradientCheck> {
  const { directions = 1, seed = 0, exactUpTo = 4e5, mostInput = 4e6 } = options;
  let model = readable(file);
  const rng = seeded(seed).child("check-gradient");
  let feeds = makeFeeds(model, rng, SHIFTS[0]!, mostInput);
  let by = floatsAmong(model, Object.keys(feeds));
  if (by.length === 0) ({ model, feeds, by } = await fromFirstFloats(model, feeds));
  const after = dependents(model.graph, by);
  const of = model.graph.outputs.filter((v) => isReal(v) && after.has(v.name)).map((v) => v.name);
  if (of.length === 0 || by.length === 0)
    throw new MarauderError(
      "MODEL_INPUT",
      "no floats follow from an input of the model, so there is nothing to differentiate; expected an output of float numbers",
    );
  model = { ...model, graph: prune(model.graph, of, { dropInputs: true }) };
  feeds = only(model, feeds);
  by = by.filter((name) => name in feeds);
  const length = (values: Iterable<Tensor>): number => [...values].reduce((n, t) => n + t.data.length, 0);
  const size = length(model.graph.constants.values()) + length(Object.values(feeds)) / 4;
  const check = async (engine: Engine, step: number): Promise<GradientCheck & { engine: string }> => {
    const at = (point: Record<string, Tensor>, salt: number): Promise<GradientCheck> =>
      checkGradient(model, {
        engine: { load: (m) => engine.load(m, { threads: 2 }) },
        feeds: point,
        of,
        wrt: by,
        rng: rng.child("directions").child(salt),
        directions,
        step,
      });
    let found = await at(feeds, 0);
    for (let i = 1; i < TRIES && found.magnitude === 0 && found.estimated.length === 0; i++) {
      const drawn = makeFeeds(model, rng.child("again").child(i), SHIFTS[i % SHIFTS.length]!, mostInput);
      found = await at({ ...feeds, ...only(model, drawn) }, i);
    }
    return { ...found, engine: engine.id === "onnxruntime" ? "onnxruntime, float32" : "float64 reference" };
  };
  // Short steps: networks of rectifiers are kinked all over.
  const found = await (size > exactUpTo
    ? check(ortEngine, 1e-3)
    : check(referenceEngine({ precision: "float64" }), 1e-6).catch((error: unknown) => {
        if (!(error instanceof MarauderError) || error.code !== "ENGINE_FAILED") throw error;
        return check(ortEngine, 1e-3);
      }));
  const operators = [
    ...new Set(model.graph.nodes.map((n) => (n.domain === "" ? n.op : `${n.domain}.${n.op}`))),
  ].toSorted();
  return { ...outcomeOf(found), directions, engine: found.engine, by, of, operators };
}

const isReal = (v: ValueInfo): boolean => v.dtype === "float32" || v.dtype === "float64";

/** As gradients need it: opset raised, half precision widened exactly, linear classifiers written out, every size known. */
function readable(given: Model): Model {
  const file = withBasicOperators({ ...given, graph: withoutZipMaps(given.graph) });
  const sized = file.graph.inputs.map((v) => (v.dims === null ? v : { ...v, dims: sizesOf(v.dims) }));
  const raised = raiseOpset({ ...file, graph: { ...file.graph, inputs: sized } });
  const wide = hasFloat16(raised.graph) ? widenFloat16(raised.graph) : raised.graph;
  const typed = inferTypes({ ...raised, graph: wide });
  // A label beside the scores keeps a classifier from being written out.
  const scores = typed.graph.outputs.filter((v) => v.kind === "tensor" && (v.dtype === null || isFloat(v.dtype)));
  const kept =
    scores.length === 0
      ? typed.graph
      : prune(
          typed.graph,
          scores.map((v) => v.name),
        );
  const lowered = lowerLinear(kept, (name) => typed.graph.values.get(name)?.dims ?? typeIn(typed, name)?.dims ?? null);
  return inferTypes({ ...typed, graph: lowered });
}

/** The probabilities themselves as outputs, where ZipMap would wrap them in maps. */
function withoutZipMaps(graph: Graph): Graph {
  const madeBy = producers(graph);
  const outputs = graph.outputs.map((v) => {
    const maker = madeBy.get(v.name);
    return maker?.op === "ZipMap" && maker.domain === "ai.onnx.ml" ? tensorInfo(maker.inputs[0]!, null, null) : v;
  });
  return { ...graph, outputs };
}

const sizesOf = (dims: readonly Dim[]): number[] => dims.map((d) => (typeof d === "number" && d > 0 ? d : 2));
const typeIn = (model: Model, name: string): ValueInfo | undefined =>
  model.graph.values.get(name) ?? [...model.graph.inputs, ...model.graph.outputs].find((v) => v.name === name);
const floatsAmong = (model: Model, names: readonly string[]): string[] =>
  names.filter((name) => isReal(model.graph.inputs.find((v) => v.name === name)!));
const only = (model: Model, feeds: Record<string, Tensor>): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(feeds).filter(([name]) => model.graph.inputs.some((v) => v.name === name)));

/** Values of each type from uniform ones of [0, 1): floats are shifted, whole numbers and truth values are 0 or 1, bytes are larger. */
const MADE: Partial<Record<DType, (dims: readonly number[], u: Float32Array, shift: number) => Tensor>> = {
  float32: (dims, u, shift) =>
    tensor(
      "float32",
      dims,
      u.map((v) => v + shift),
    ),
  float64: (dims, u, shift) =>
    tensor(
      "float64",
      dims,
      Float64Array.from(u, (v) => v + shift),
    ),
  int64: (dims, u) =>
    tensor(
      "int64",
      dims,
      BigInt64Array.from(u, (v) => (v < 0.5 ? 0n : 1n)),
    ),
  int32: (dims, u) => tensor("int32", dims, Int32Array.from(u, Math.round)),
  bool: (dims, u) => tensor("bool", dims, Uint8Array.from(u, Math.round)),
  uint8: (dims, u) =>
    tensor(
      "uint8",
      dims,
      Uint8Array.from(u, (v) => v * 100),
    ),
  int8: (dims, u) =>
    tensor(
      "int8",
      dims,
      Int8Array.from(u, (v) => v * 100 - 50),
    ),
};

/** A value for every input that has no default. */
function makeFeeds(model: Model, rng: ReturnType<typeof seeded>, shift: number, most: number): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const { name, dtype, dims, kind } of model.graph.inputs) {
    if (model.graph.constants.has(name)) continue;
    const refuse = (why: string): never => {
      throw new MarauderError(
        "MODEL_INPUT",
        `no value can be made up for the input ${JSON.stringify(name)}: ${why}; declare its type and shape, or leave the gradient unchecked`,
      );
    };
    if (kind !== "tensor") return refuse(`it is a ${kind}`);
    if (dims === null) return refuse("its rank is unknown");
    const sizes = sizesOf(dims);
    const n = sizeOf(sizes);
    if (n > most) return refuse(`it holds ${n} numbers, more than ${most}`);
    const uniform = new Float32Array(n);
    rng.child("input").child(name).fillUniform(uniform, 0, 1);
    const make = dtype === null ? undefined : MADE[dtype];
    if (make === undefined) return refuse(`it holds ${dtype ?? "an unknown type"}`);
    feeds[name] = make(sizes, uniform, shift);
  }
  return feeds;
}

/** A model without inputs of floats from the first floats on, at the values that its inputs give them. */
async function fromFirstFloats(model: Model, feeds: Record<string, Tensor>) {
  const found = firstFloats(model.graph, (name) => typeIn(model, name));
  const inputs = new Set([...model.graph.inputs, ...model.graph.outputs].map((v) => v.name));
  const names = found.filter((name) => !inputs.has(name));
  if (names.length === 0) return { model, feeds, by: [] };
  const before: Model = { ...model, graph: prune(model.graph, names, { dropInputs: true }) };
  const session = await referenceEngine().load(before);
  const values = await session.run(only(before, feeds));
  const typed = (name: string): ValueInfo => ({
    name,
    kind: "tensor",
    dtype: values[name]!.dtype,
    dims: values[name]!.dims,
  });
  const cut: Model = { ...model, graph: cutAt(model.graph, names, typed) };
  const by = names.filter((name) => cut.graph.inputs.some((v) => v.name === name));
  return { model: inferTypes(cut), feeds: only(cut, { ...feeds, ...values }), by };
}
