import { MarauderError } from "../errors.ts";
import type { Rng } from "../random/rng.ts";
import { sizeOf } from "../tensor/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { makeClient } from "./http-client.ts";
import type { HttpStats } from "./http-client.ts";
import type { HttpConfig, HttpConfigInput } from "./http-config.ts";
import { atPath, fillTemplate, parsePath, readLabels, readScores } from "./http-template.ts";
import { withBudget } from "./narrow.ts";
import { argmaxRows, logOfProbabilities } from "./scores.ts";
import type { Capability, Target } from "./target.ts";

export type { HttpConfig, HttpConfigInput } from "./http-config.ts";

export interface HttpTarget extends Target {
  /** Requests sent, and how many of them were repetitions. */
  readonly http: Readonly<HttpStats>;
  /** What the scores are, for the report. */
  readonly scoresAre: "logits" | "log-probabilities" | "none";
}

export interface HttpDependencies {
  /** For the jitter of the back-off. */
  readonly rng: Rng;
  readonly signal?: AbortSignal;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * A model behind an HTTP endpoint that speaks JSON. Label only, or scores. Throws PLAN_INVALID for a wrong
 * configuration; its methods throw HTTP_UNREACHABLE, HTTP_ANSWER and, with `maxQueries`, BUDGET_SPENT.
 */
export async function openHttpTarget(given: HttpConfigInput, dependencies: HttpDependencies): Promise<HttpTarget> {
  const { parseHttpConfig, resolveHeaders } = await import("./http-config.ts"); // zod loads slowly
  const config = parseHttpConfig(given);
  const headers = resolveHeaders(config.headers, dependencies.env ?? process.env);
  const path = parsePath((config.response.scores ?? config.response.label)!);
  const client = makeClient({
    ...config,
    requestsPerSecond: config.requestsPerSecond,
    headers,
    ...picked(dependencies),
  });
  const meter = { queries: 0, gradients: 0 };
  const hasScores = config.response.scores !== undefined;
  const can: ReadonlySet<Capability> = new Set(hasScores ? (["label", "scores"] as const) : (["label"] as const));

  async function ask<T>(x: Tensor<"float32">, read: (value: unknown, n: number) => T): Promise<T[]> {
    const each = sizeOf(config.inputShape);
    const n = x.dims[0] ?? 0;
    if (x.data.length !== n * each) {
      throw new MarauderError(
        "SHAPE_MISMATCH",
        `the endpoint takes examples of shape [${config.inputShape.join(", ")}], got a batch of [${x.dims.join(", ")}]`,
      );
    }
    const parts: T[] = [];
    for (let from = 0; from < n; from += config.batch) {
      const size = Math.min(config.batch, n - from);
      const values = x.data.subarray(from * each, (from + size) * each);
      meter.queries += size;
      const answer = await client.send(fillTemplate(config.request, { ...config, values, n: size }));
      parts.push(read(atPath(answer, path), size));
    }
    return parts;
  }

  const scores = async (x: Tensor<"float32">): Promise<Float32Array> => {
    if (!hasScores) {
      throw new MarauderError("CAPABILITY_MISSING", "the endpoint answers labels only; take a label-only attack");
    }
    return joined(await ask(x, (value, n) => toScores(readScores(value, n, config.classes), config)));
  };
  const target: Target = {
    id: config.id ?? new URL(config.url).host,
    can,
    inputShape: config.inputShape,
    classes: config.classes,
    bounds: config.bounds,
    meter,
    scores,
    async label(x) {
      if (hasScores) return argmaxRows(await scores(x), config.classes);
      const { classes, response } = config;
      const parts = await ask(x, (value, n) => readLabels(value, n, classes, response.classNames));
      return Int32Array.from(parts.flatMap((part) => [...part]));
    },
    gradient: () =>
      Promise.reject(
        new MarauderError("CAPABILITY_MISSING", "an HTTP endpoint has no gradient; take a black-box attack"),
      ),
    close: () => Promise.resolve(),
  };
  const limited = config.maxQueries === undefined ? target : withBudget(target, config.maxQueries);
  const scoresAre = !hasScores ? "none" : config.response.kind === "logits" ? "logits" : "log-probabilities";
  return Object.freeze({ ...limited, http: client.stats, scoresAre });
}

const picked = (d: HttpDependencies): { rng: Rng; signal: AbortSignal | undefined } => ({
  rng: d.rng,
  signal: d.signal,
});

function toScores(values: Float32Array, config: HttpConfig): Float32Array {
  if (config.response.kind !== "probabilities") return values;
  const bad = values.find((v) => !(v >= -1e-6 && v <= 1 + 1e-6));
  if (bad !== undefined) {
    throw new MarauderError(
      "HTTP_ANSWER",
      `the endpoint answered ${bad}; expected probabilities from 0 to 1; set response.kind to logits or log-probabilities`,
    );
  }
  return logOfProbabilities(values);
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
