import { isMap, isScalar, type Document } from "yaml";
import { z } from "zod";
import type { Plan } from "../contract/index.ts";
import { MarauderError } from "../errors.ts";
import { parseYaml } from "./yaml-text.ts";

const id = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i, "expected letters, digits, dots, dashes (it becomes part of file names)");
const risk = z.enum(["evasion", "poisoning", "memorization"]);

const training = { epochs: z.number().nonnegative().optional(), epsilon: z.number().positive().optional() };
const canaries = z.strictObject({
  manifest: z.string().min(1),
  before: z.string().optional(),
  ...training,
  compare: z.array(z.strictObject({ title: z.string().min(1), model: z.string().min(1), ...training })).optional(),
});

const subject = z
  .strictObject({
    id,
    title: z.string().optional(),
    model: z.string().min(1).optional(),
    http: z.record(z.string(), z.unknown()).optional(),
    data: z.string().min(1).optional(),
    labels: z.string().optional(),
    label: z.string().optional(),
    groups: z.array(z.string()).optional(),
    rowId: z.string().optional(),
    ignore: z.array(z.string()).optional(),
    missing: z.enum(["refuse", "drop", "impute"]).optional(),
    bounds: z.tuple([z.number(), z.number()]).optional(),
    mean: z.array(z.number()).optional(),
    sd: z.array(z.number().positive()).optional(),
    input: z.string().optional(),
    output: z.string().optional(),
    shape: z.array(z.number().int().positive()).optional(),
    transpose: z.boolean().optional(),
    classNames: z.array(z.string()).optional(),
    members: z.string().optional(),
    nonMembers: z.string().optional(),
    train: z.string().optional(),
    triggered: z.strictObject({ data: z.string(), target: z.number().int().nonnegative() }).optional(),
    arch: z.enum(["logistic", "mlp", "cnn", "resnet"]).optional(),
    canaries: canaries.optional(),
    risks: z.array(risk).optional(),
    samples: z.number().int().positive().optional(),
  })
  .superRefine(({ data, model, canaries: planted }, check) => {
    const fault = (path: string, message: string): void => check.addIssue({ code: "custom", path: [path], message });
    if (data === undefined && planted === undefined)
      fault("data", "expected test data (or canaries, for a language model)");
    if (planted !== undefined && (model === undefined || /^https?:/i.test(model)))
      fault("model", "expected the ONNX file of the language model that the canaries were planted for");
  });

const schema = z.strictObject({
  schema: z.literal(1).default(1),
  title: z.string().optional(),
  seed: z.number().int().nonnegative().default(0),
  quick: z.boolean().default(false),
  subjects: z.array(subject).min(1),
  probes: z
    .array(
      z.strictObject({
        probe: id,
        subjects: z.array(id).optional(),
        options: z.record(z.string(), z.unknown()).optional(),
      }),
    )
    .default([]),
  repairs: z.array(z.strictObject({ id, title: z.string(), what: z.string(), before: id, after: id })).default([]),
});

/** A plan as a person writes it: what is left out gets its default. */
export type PlanInput = z.input<typeof schema>;
export type PlanSubjectInput = PlanInput["subjects"][number];

/** Checks a plan that was made in code. Throws PLAN_INVALID with the path of each fault. */
export function checkPlan(value: unknown, where = "the plan"): Plan {
  const result = schema.safeParse(value);
  if (!result.success) {
    const lines = result.error.issues.map((issue) => `${issue.path.join(".") || "(top)"}: ${issue.message}`);
    throw new MarauderError("PLAN_INVALID", `${where} is not a valid plan:\n  ${lines.join("\n  ")}`);
  }
  const plan = result.data as Plan;
  checkReferences(plan, where);
  return plan;
}

/** Parses a plan file, JSON or YAML. Faults are named with their path, line and column. */
export function parsePlan(text: string, where: string): Plan {
  const { value, document, lines } = parseYaml(text, where);
  const result = schema.safeParse(value);
  if (!result.success) {
    const faults = result.error.issues.map((issue) => {
      const unknown = issue.code === "unrecognized_keys" ? keyPosition(document, issue.path, issue.keys[0]!) : null;
      if (unknown !== null) {
        const { line, col } = lines.linePos(unknown);
        return `line ${line} column ${col}, ${issue.path.join(".") || "(top)"}: ${issue.message}`;
      }
      // The deepest node that exists on the way to the fault: a missing key has no place of its own.
      for (let depth = issue.path.length; depth >= 0; depth--) {
        const node = document.getIn(issue.path.slice(0, depth), true) as
          | { range?: [number, number, number] }
          | undefined;
        if (node?.range) {
          const { line, col } = lines.linePos(node.range[0]);
          return `line ${line} column ${col}, ${issue.path.join(".") || "(top)"}: ${issue.message}`;
        }
      }
      return `${issue.path.join(".") || "(top)"}: ${issue.message}`;
    });
    throw new MarauderError("PLAN_INVALID", `${where} is not a valid plan:\n  ${faults.join("\n  ")}`);
  }
  const plan = result.data as Plan;
  checkReferences(plan, where);
  return plan;
}

/** Where a key stands that the schema does not know. */
function keyPosition(document: Document, path: readonly PropertyKey[], key: string): number | null {
  const map = path.length === 0 ? document.contents : document.getIn(path, true);
  const pair = isMap(map) ? map.items.find((item) => isScalar(item.key) && item.key.value === key) : undefined;
  return (isScalar(pair?.key) ? pair.key.range?.[0] : undefined) ?? null;
}

function checkReferences(plan: Plan, where: string): void {
  const ids = plan.subjects.map((s) => s.id);
  const twice = ids.find((name, i) => ids.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new MarauderError("PLAN_INVALID", `${where}: two subjects have the id ${twice}; give each its own`);
  }
  const known = new Set(ids);
  const named = [
    ...plan.probes.flatMap((p, i) => (p.subjects ?? []).map((s) => [`probes.${i}.subjects`, s] as const)),
    ...plan.repairs.flatMap(
      (r, i) =>
        [
          [`repairs.${i}.before`, r.before],
          [`repairs.${i}.after`, r.after],
        ] as const,
    ),
  ];
  for (const [path, name] of named) {
    if (!known.has(name)) {
      throw new MarauderError(
        "PLAN_INVALID",
        `${where}: ${path} names the subject ${name}; expected one of ${ids.join(", ")}`,
      );
    }
  }
}
