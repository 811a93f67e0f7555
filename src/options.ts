import type { OptionSpec, OptionTable } from "./contract/describe.ts";
import { MarauderError } from "./errors.ts";

/** The defaults of an option table. */
export function defaultsOf<O>(table: OptionTable<O>): O {
  return Object.fromEntries(Object.entries<OptionSpec>(table).map(([name, spec]) => [name, spec.default])) as O;
}

/**
 * Checks given options against a table and fills in defaults. Strings are converted, so that the command line and plan
 * files share it. Throws OPTION_UNKNOWN and OPTION_RANGE with the name, the expectation and what was got.
 */
export function resolveOptions<O>(table: OptionTable<O>, given: Readonly<Record<string, unknown>>, of: string): O {
  const specs = table as Record<string, OptionSpec>;
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(specs, name)) {
      throw new MarauderError(
        "OPTION_UNKNOWN",
        `${of} has no option ${JSON.stringify(name)}; expected one of ${Object.keys(specs).join(", ")}`,
      );
    }
  }
  const out: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(specs)) {
    out[name] = given[name] === undefined ? spec.default : convert(spec, given[name], `option ${name} of ${of}`);
  }
  return out as O;
}

function convert(spec: OptionSpec, value: unknown, what: string): number | string | boolean {
  const refuse = (expected: string): never => {
    throw new MarauderError("OPTION_RANGE", `${what} must be ${expected}, got ${JSON.stringify(value)}`);
  };
  if (spec.type === "boolean") {
    if (value === true || value === "true") return true;
    if (value === false || value === "false") return false;
    return refuse("true or false");
  }
  if (spec.type === "text") return typeof value === "string" ? value : refuse("text");
  if (spec.type === "choice") {
    return typeof value === "string" && spec.choices.includes(value)
      ? value
      : refuse(`one of ${spec.choices.join(", ")}`);
  }
  const text = typeof value === "string" ? value.trim() : value;
  const number = typeof text === "string" && text !== "" ? parseNumber(text) : typeof text === "number" ? text : NaN;
  const { min = -Infinity, max = Infinity } = spec;
  const range = min === -Infinity && max === Infinity ? "" : ` from ${min} to ${max}`;
  if (!Number.isFinite(number) || number < min || number > max || (spec.type === "int" && !Number.isInteger(number))) {
    return refuse(`${spec.type === "int" ? "a whole number" : "a number"}${range}`);
  }
  return number;
}

/** A number, or a fraction such as 8/255, since budgets of images are written so. NaN when it is neither. */
export function parseNumber(text: string): number {
  const parts = text.split("/").map((part) => (part.trim() === "" ? NaN : Number(part)));
  if (parts.length === 1) return parts[0]!;
  return parts.length === 2 ? parts[0]! / parts[1]! : NaN;
}
