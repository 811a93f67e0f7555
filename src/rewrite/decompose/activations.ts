import { float, getFloats, type Attribute } from "../../ir/index.ts";
import { num, refuse, type Site } from "./context.ts";

/** One activation of a recurrent network, applied. */
export type Activation = (value: string) => string;

interface Known {
  readonly op: string;
  /** Defaults of alpha and beta, where the activation has them. */
  readonly alpha?: number;
  readonly beta?: number;
}

/** The activations of RNN, GRU and LSTM, by lower-case name, with the defaults of the operator of that name. */
const known: Readonly<Record<string, Known>> = {
  relu: { op: "Relu" },
  tanh: { op: "Tanh" },
  sigmoid: { op: "Sigmoid" },
  affine: { op: "Affine", alpha: 1, beta: 0 },
  leakyrelu: { op: "LeakyRelu", alpha: 0.01 },
  thresholdedrelu: { op: "ThresholdedRelu", alpha: 1 },
  scaledtanh: { op: "ScaledTanh", alpha: 1, beta: 1 },
  hardsigmoid: { op: "HardSigmoid", alpha: 0.2, beta: 0.5 },
  elu: { op: "Elu", alpha: 1 },
  softsign: { op: "Softsign" },
  softplus: { op: "Softplus" },
};

/**
 * The activations of each direction, in order. The lists activation_alpha and activation_beta are used up by the
 * activations that have such a parameter, first come, first served.
 */
export function activationsOf(s: Site, defaults: readonly string[], directions: number): Activation[][] {
  const a = s.node.attributes["activations"];
  const text = new TextDecoder();
  const given = a?.type === "strings" && a.value.length > 0 ? a.value.map((v) => text.decode(v)) : null;
  const names = given ?? Array.from({ length: directions }, () => defaults).flat();
  if (names.length !== directions * defaults.length)
    return refuse(s, `${names.length} activations for ${directions} directions of ${defaults.length}`);
  const alphas = [...(getFloats(s.node, "activation_alpha") ?? [])];
  const betas = [...(getFloats(s.node, "activation_beta") ?? [])];
  const made = names.map((name) => {
    const lower = name.toLowerCase();
    const found = Object.hasOwn(known, lower) ? known[lower]! : refuse(s, `activation ${JSON.stringify(name)}`);
    const alpha = found.alpha === undefined ? 0 : (alphas.shift() ?? found.alpha);
    const beta = found.beta === undefined ? 0 : (betas.shift() ?? found.beta);
    return activation(s, found, alpha, beta);
  });
  return Array.from({ length: directions }, (_, d) => made.slice(d * defaults.length, (d + 1) * defaults.length));
}

function activation(s: Site, { op, alpha: hasAlpha, beta: hasBeta }: Known, alpha: number, beta: number): Activation {
  const { b } = s;
  if (op === "Affine") return (x) => b.add(b.mul(x, num(s, alpha)), num(s, beta));
  if (op === "ScaledTanh") return (x) => b.mul(b.op("Tanh", [b.mul(x, num(s, beta))]), num(s, alpha));
  const attributes: Record<string, Attribute> = {};
  if (hasAlpha !== undefined) attributes["alpha"] = float(alpha);
  if (hasBeta !== undefined) attributes["beta"] = float(beta);
  return (x) => b.op(op, [x], attributes);
}
