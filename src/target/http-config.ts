import { z } from "zod";
import { excerpt, MarauderError } from "../errors.ts";

const positive = z.number().int().positive();

/**
 * How to ask an endpoint. In `request`, the string "$inputs" stands for the batch, "$input" for a single example and
 * "$shape" for [n, ...inputShape]. In `response`, a path such as `predictions[*].scores` says where the answer lies.
 */
const schema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  id: z.string().min(1).optional(),
  method: z.enum(["POST", "PUT"]).default("POST"),
  /** Values may hold $ENV:NAME, which is taken from the environment and never printed. */
  headers: z.record(z.string(), z.string()).default({}),
  request: z.json(),
  response: z
    .strictObject({
      scores: z.string().optional(),
      label: z.string().optional(),
      /** What the scores are; log probabilities are used as they are. */
      kind: z.enum(["probabilities", "logits", "log-probabilities"]).default("probabilities"),
      /** Names of the classes, where the endpoint answers names. */
      classNames: z.array(z.string()).optional(),
    })
    .refine((r) => (r.scores === undefined) !== (r.label === undefined), "give either scores or label, a path"),
  /** nested: each example in its shape; flat: each example as one list; joined: the whole batch as one list. */
  layout: z.enum(["nested", "flat", "joined"]).default("nested"),
  /** Rounds inputs to whole numbers, for endpoints that take bytes. */
  integers: z.boolean().default(false),
  inputShape: z.array(positive).min(1).max(8),
  classes: positive.min(2),
  bounds: z.strictObject({ low: z.number(), high: z.number() }).refine((b) => b.low < b.high, "low must be below high"),
  batch: positive.max(65536).default(32),
  timeoutMs: positive.default(30_000),
  retries: z.number().int().min(0).max(100).default(5),
  backoffMs: positive.default(250),
  /** Longest wait before one retry; a Retry-After beyond it ends the run. */
  maxWaitMs: positive.default(60_000),
  requestsPerSecond: z.number().positive().optional(),
  maxQueries: z.number().int().min(0).optional(),
  maxResponseBytes: positive.default(16 * 2 ** 20),
});

export type HttpConfig = z.output<typeof schema>;
export type HttpConfigInput = z.input<typeof schema>;

/** Checks a configuration and fills in defaults. Throws PLAN_INVALID with the path of each wrong field. */
export function parseHttpConfig(given: unknown): HttpConfig {
  const answer = schema.safeParse(given);
  if (!answer.success) {
    const words = answer.error.issues.slice(0, 8).map((i) => `${i.path.join(".") || "(top)"}: ${i.message}`);
    throw new MarauderError("PLAN_INVALID", `the endpoint configuration is wrong: ${excerpt(words.join("; "), 800)}`);
  }
  const config = answer.data;
  const placeholders = countPlaceholders(config.request);
  if (placeholders.input + placeholders.inputs !== 1) {
    throw new MarauderError(
      "PLAN_INVALID",
      'the endpoint\'s request template must hold exactly one of "$inputs" (a batch) and "$input" (one example), got ' +
        `${placeholders.inputs} and ${placeholders.input}; example: {"instances": "$inputs"}`,
    );
  }
  const url = new URL(config.url);
  if (url.username !== "" || url.password !== "") {
    throw new MarauderError(
      "PLAN_INVALID",
      "the endpoint's URL holds a user name or password; put them into a header as $ENV:NAME",
    );
  }
  return { ...config, batch: placeholders.input === 1 ? 1 : config.batch };
}

/** Replaces $ENV:NAME by the environment's value. Throws USAGE with the name, never the value. */
export function resolveHeaders(
  headers: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
): Map<string, string> {
  const out = new Map<string, string>();
  for (const [name, template] of Object.entries(headers)) {
    const value = template.replace(/\$ENV:([A-Za-z_][A-Za-z0-9_]*)/g, (_, variable: string) => {
      const found = env[variable];
      if (found === undefined || found === "") {
        throw new MarauderError(
          "USAGE",
          `header ${excerpt(name, 60)} needs the environment variable ${variable}, which is not set; set it`,
        );
      }
      return found;
    });
    // Checked here because the platform's own error would print the value.
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new MarauderError("USAGE", `header ${excerpt(name, 60)} has characters that HTTP does not allow`);
    }
    out.set(name.toLowerCase(), value.trim());
  }
  return out;
}

function countPlaceholders(template: unknown): { input: number; inputs: number } {
  if (template === "$input") return { input: 1, inputs: 0 };
  if (template === "$inputs") return { input: 0, inputs: 1 };
  const total = { input: 0, inputs: 0 };
  if (typeof template === "object" && template !== null) {
    for (const value of Object.values(template)) {
      const inner = countPlaceholders(value);
      total.input += inner.input;
      total.inputs += inner.inputs;
    }
  }
  return total;
}
