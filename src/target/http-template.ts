import { excerpt, MarauderError } from "../errors.ts";
import { sizeOf } from "../tensor/index.ts";

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface BatchOfInputs {
  readonly values: Float32Array;
  readonly n: number;
  readonly inputShape: readonly number[];
  readonly layout: "nested" | "flat" | "joined";
  readonly integers: boolean;
}

/** The request body: the template with "$inputs", "$input" and "$shape" replaced. */
export function fillTemplate(template: unknown, batch: BatchOfInputs): Json {
  if (template === "$inputs" || template === "$input") return inputsOf(batch, template === "$input");
  if (template === "$shape") return [batch.n, ...batch.inputShape];
  if (Array.isArray(template)) return template.map((v) => fillTemplate(v, batch));
  if (typeof template === "object" && template !== null) {
    return Object.fromEntries(Object.entries(template).map(([k, v]) => [k, fillTemplate(v, batch)]));
  }
  return template as Json;
}

function inputsOf({ values, n, inputShape, layout, integers }: BatchOfInputs, single: boolean): Json {
  const numbers = Array.from(values, (v) => (integers ? Math.round(v) : v));
  if (layout === "joined") return numbers;
  const each = sizeOf(inputShape);
  const examples = Array.from({ length: n }, (_, i) => {
    const one = numbers.slice(i * each, (i + 1) * each);
    return layout === "flat" ? one : nest(one, inputShape);
  });
  return single ? examples[0]! : examples;
}

function nest(values: readonly number[], dims: readonly number[]): Json {
  if (dims.length <= 1) return values;
  const step = values.length / dims[0]!;
  return Array.from({ length: dims[0]! }, (_, i) => nest(values.slice(i * step, (i + 1) * step), dims.slice(1)));
}

type Step = string | number | "*each";

/** A path such as `predictions[*].scores`, `outputs[0].data`, `[*]` or `$` (the whole answer). */
export function parsePath(path: string): readonly Step[] {
  const steps: Step[] = [];
  let rest = path.startsWith("$") ? path.slice(1) : path;
  while (rest !== "") {
    const match = /^(?:\[(\*|\d{1,9})\]|\.?([^.[\]]+))/.exec(rest);
    if (match === null) {
      throw new MarauderError(
        "PLAN_INVALID",
        `the response path ${JSON.stringify(excerpt(path, 80))} is not understood; expected names, [0] and [*], ` +
          "as in predictions[*].scores",
      );
    }
    steps.push(match[1] === undefined ? match[2]! : match[1] === "*" ? "*each" : Number(match[1]));
    rest = rest.slice(match[0].length);
  }
  return steps;
}

/** What lies at a path; null-proof. Throws HTTP_ANSWER with the step that is missing. */
export function atPath(answer: unknown, steps: readonly Step[]): unknown {
  let value = answer;
  for (const [i, step] of steps.entries()) {
    if (step === "*each") {
      if (!Array.isArray(value)) throw misfit("a list", value, steps, i);
      const rest = steps.slice(i + 1);
      return value.map((v: unknown) => atPath(v, rest));
    }
    if (typeof step === "number") {
      if (!Array.isArray(value) || step >= value.length)
        throw misfit(`a list of at least ${step + 1}`, value, steps, i);
      value = value[step];
    } else {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) {
        throw misfit(`an object with the field ${JSON.stringify(excerpt(step, 60))}`, value, steps, i);
      }
      value = (value as Record<string, unknown>)[step];
    }
  }
  return value;
}

/** n * classes numbers, from n rows of any nesting or from one joined list. */
export function readScores(value: unknown, n: number, classes: number): Float32Array {
  const out = new Float32Array(n * classes);
  let count = 0;
  const walk = (v: unknown, depth: number): void => {
    if (Array.isArray(v) && depth < 16) {
      for (const inner of v) walk(inner, depth + 1);
      return;
    }
    if (typeof v !== "number" || !Number.isFinite(v)) throw wrong(`numbers`, v);
    if (count < out.length) out[count] = v;
    count++;
  };
  walk(value, 0);
  const rows =
    Array.isArray(value) && n > 1 && value.length !== n && value.length !== n * classes && value.length !== 1;
  if (count !== out.length || rows) {
    throw new MarauderError(
      "HTTP_ANSWER",
      `the endpoint answered ${count} numbers; expected ${n} examples of ${classes} scores (${n * classes}); ` +
        "correct the response path or `classes`",
    );
  }
  return out;
}

/** n class indices, from numbers or from names. */
export function readLabels(
  value: unknown,
  n: number,
  classes: number,
  classNames: readonly string[] | undefined,
): Int32Array {
  const list = (Array.isArray(value) ? value : [value]).map((v: unknown) =>
    Array.isArray(v) && v.length === 1 ? v[0] : v,
  );
  if (list.length !== n) {
    throw new MarauderError("HTTP_ANSWER", `the endpoint answered ${list.length} labels; expected ${n}`);
  }
  return Int32Array.from(list, (v: unknown) => {
    if (classNames !== undefined && typeof v === "string") {
      const at = classNames.indexOf(v);
      if (at >= 0) return at;
      throw wrong(`one of ${excerpt(classNames.join(", "), 120)}`, v);
    }
    if (typeof v !== "number" || !Number.isInteger(v) || v < 0 || v >= classes) {
      throw wrong(`class numbers from 0 to ${classes - 1}${classNames ? " or names" : ""}`, v);
    }
    return v;
  });
}

const show = (value: unknown): string => excerpt(JSON.stringify(value) ?? String(value), 120);

const wrong = (expected: string, got: unknown): MarauderError =>
  new MarauderError("HTTP_ANSWER", `the endpoint's answer holds ${show(got)}; expected ${expected}`);

function misfit(expected: string, got: unknown, steps: readonly Step[], at: number): MarauderError {
  const before = steps
    .slice(0, at)
    .map((s) => (typeof s === "number" ? `[${s}]` : s === "*each" ? "[*]" : `.${s}`))
    .join("");
  return new MarauderError(
    "HTTP_ANSWER",
    `the endpoint's answer does not fit the response path: expected ${expected} at $${excerpt(before, 80)}, ` +
      `got ${show(got)}; correct the path`,
  );
}
