import { z } from "zod";
import type { Report } from "../contract/index.ts";
import { MarauderError } from "../errors.ts";

/**
 * Checks a report that was read from disk. A report file may have been written by anybody: unknown keys are dropped, and
 * everything that the renderers rely on is checked here.
 */
export function parseReport(json: unknown): Report {
  const parsed = reportSchema.safeParse(json);
  if (parsed.success) {
    // A type error here means that the contract has a field that the schema below lacks and would drop: add it there.
    const report: [Lost<Report, typeof parsed.data>] extends [never] ? Report : Lost<Report, typeof parsed.data> =
      parsed.data;
    return report;
  }
  const issue = deepest(parsed.error.issues[0]!);
  const path = issue.path.reduce<string>(
    (text, key) => text + (typeof key === "number" ? `[${key}]` : `.${String(key)}`),
    "",
  );
  throw new MarauderError(
    "REPORT_INVALID",
    `the report cannot be read at ${path === "" ? "its root" : path.slice(1)}; ${issue.message}; make it again with 'marauder report <dir>'`,
    { details: { path: issue.path.map(String), issues: parsed.error.issues.length } },
  );
}

/** Names of the fields of A, at any depth, that B lacks. */
type Lost<A, B> = A extends readonly (infer Item)[]
  ? Lost<Item, Extract<B, readonly unknown[]>[number]>
  : A extends object
    ? LostField<A, A extends { readonly type: infer Type } ? Extract<B, { type: Type }> : Extract<B, object>>
    : never;
type LostField<A, B> = {
  [Key in keyof A]-?: Key extends keyof B ? Lost<Given<A[Key]>, Given<B[Key]>> : Key;
}[keyof A];
type Given<T> = unknown extends T ? string : NonNullable<T>;

/** Reads the text of a report file. */
export function parseReportText(text: string): Report {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new MarauderError(
      "REPORT_INVALID",
      "the report cannot be read; expected JSON, got something else; make it again with 'marauder report <dir>'",
      { cause },
    );
  }
  return parseReport(json);
}

const maxPixels = 4_194_304;

const text = z.string().max(100_000);
const list = <T extends z.ZodType>(item: T) => z.array(item).max(100_000);
// JSON has no NaN and no infinities: JSON.stringify writes null for them.
const number = z.union([z.number(), z.null().transform(() => Number.NaN)]);
const unit = z.enum(["fraction", "count", "seconds", "input units", "nats", "bits", "none"]);
const risk = z.enum(["evasion", "poisoning", "memorization"]);
const better = z.enum(["higher", "lower"]);
const pair = z.tuple([z.number(), z.number()]);
const texts = z.record(z.string(), text);
const bag = z.record(z.string(), z.unknown());

const interval = z.object({ value: number, low: number, high: number, level: z.number().gt(0).lt(1).optional() });
const measured = z.union([z.number(), interval]);
const cell = z.union([text, z.number(), z.null(), interval]);

const axis = z.object({
  label: text,
  scale: z.enum(["linear", "log"]),
  unit: unit.optional(),
  domain: pair.optional(),
});
const picture = z
  .object({
    width: z.int().min(1).max(4096),
    height: z.int().min(1).max(4096),
    channels: z.literal([1, 3]),
    pixels: z.base64().max(4 * maxPixels),
  })
  .refine(({ width, height, channels, pixels }) => bytesOf(pixels) === width * height * channels, {
    message: "expected as many pixel bytes as width × height × channels",
  });

const detail = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("table"),
    caption: text,
    columns: list(z.object({ key: text, label: text, unit: unit.optional() })),
    rows: list(z.record(z.string(), cell)),
    highlight: list(z.int().nonnegative()).optional(),
  }),
  z.object({
    type: z.literal("series"),
    caption: text,
    x: axis,
    y: axis,
    series: list(
      z.object({
        name: text,
        points: list(z.object({ x: number, y: number, low: number.optional(), high: number.optional() })),
        style: z.enum(["line", "step", "dashed", "dots"]).optional(),
      }),
    ),
  }),
  z.object({
    type: z.literal("images"),
    caption: text,
    rows: list(z.object({ id: text, cells: list(z.object({ title: text, note: text, picture })) })),
  }),
  z.object({
    type: z.literal("diff"),
    caption: text,
    rows: list(
      z.object({
        id: text,
        before: text,
        after: text,
        changes: list(z.object({ column: text, from: text, to: text })),
      }),
    ),
  }),
  z.object({ type: z.literal("text"), caption: text, paragraphs: list(text) }),
]);

const finding = z.object({
  check: text,
  subject: text,
  risk,
  title: text,
  outcome: z.enum(["pass", "fail", "inconclusive", "inapplicable", "error"]),
  severity: z.enum(["none", "low", "medium", "high", "critical"]),
  evidence: z.enum(["witness", "certificate", "estimate"]).nullable(),
  headline: text,
  measures: list(z.object({ name: text, unit, value: z.union([number, interval]), better: better.optional() })),
  threat: z.object({ knows: text, changes: text, spends: text, atlas: list(text), nist: list(text) }),
  advice: list(text),
  details: list(detail),
  from: list(text),
});

const training = { epochs: z.number().optional(), epsilon: z.number().optional() };

const plan = z.object({
  schema: z.literal(1),
  title: text.optional(),
  seed: z.number(),
  quick: z.boolean(),
  subjects: list(
    z
      .object({
        id: text,
        title: text.optional(),
        model: text.optional(),
        http: bag.optional(),
        data: text.optional(),
        labels: text.optional(),
        label: text.optional(),
        groups: list(text).optional(),
        rowId: text.optional(),
        ignore: list(text).optional(),
        missing: z.enum(["refuse", "drop", "impute"]).optional(),
        bounds: pair.optional(),
        mean: list(z.number()).optional(),
        sd: list(z.number()).optional(),
        input: text.optional(),
        output: text.optional(),
        shape: list(z.number()).optional(),
        transpose: z.boolean().optional(),
        classNames: list(text).optional(),
        members: text.optional(),
        nonMembers: text.optional(),
        train: text.optional(),
        triggered: z.object({ data: text, target: z.number() }).optional(),
        arch: text.optional(),
        canaries: z
          .object({
            manifest: text,
            before: text.optional(),
            ...training,
            compare: list(z.object({ title: text, model: text, ...training })).optional(),
          })
          .optional(),
        risks: list(risk).optional(),
        samples: z.number().optional(),
      })
      .refine(({ data, canaries }) => data !== undefined || canaries !== undefined, {
        path: ["data"],
        message: "expected test data, or canaries",
      }),
  ),
  probes: list(z.object({ probe: text, subjects: list(text).optional(), options: bag.optional() })),
  repairs: list(z.object({ id: text, title: text, what: text, before: text, after: text })),
});

const reportSchema = z.object({
  schema: z.literal(1),
  tool: z.object({ name: z.literal("marauder"), version: text }),
  created: z.iso.datetime(),
  title: text,
  plan,
  subjects: list(z.object({ id: text, title: text, description: text, fingerprints: texts, assumptions: list(text) })),
  findings: list(finding),
  repairs: list(
    z.object({
      id: text,
      title: text,
      what: text,
      before: text,
      after: text,
      rows: list(
        z.object({
          name: text,
          unit,
          better,
          before: measured.nullable(),
          after: measured.nullable(),
        }),
      ),
    }),
  ),
  warnings: list(text),
  environment: texts,
  totals: z.object({ seconds: z.number(), queries: z.number(), gradients: z.number() }),
});

function bytesOf(base64: string): number {
  return (base64.length / 4) * 3 - (base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0);
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Inside a union the useful issue is the one that got furthest. */
function deepest(issue: z.core.$ZodIssue): Issue {
  let best: Issue = { path: issue.path, message: issue.message };
  if (issue.code !== "invalid_union") return best;
  for (const branch of issue.errors) {
    for (const inner of branch) {
      const found = deepest(inner);
      if (found.path.length > 0) {
        const path = [...issue.path, ...found.path];
        if (path.length > best.path.length) best = { path, message: found.message };
      }
    }
  }
  return best;
}
