import type { Plan, PlanSubject } from "../contract/index.ts";
import { MarauderError } from "../errors.ts";

/** What may be written down of a plan. Everything that is kept of a run goes through here: credentials are in none of it. */

export const isUrl = (model: string): boolean => /^https?:\/\//i.test(model);

/** A URL without user, password, query and fragment. Throws USAGE, without the URL, when it is none. */
export function publicUrl(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new MarauderError("USAGE", "the endpoint's URL is not valid; expected https://host/path");
  }
  return `${parsed.origin}${parsed.pathname}`;
}

const HIDDEN = "***";
/** "Bearer $ENV:TOKEN" names a secret and holds none. */
const onlyNames = /^([A-Za-z]{1,20} )?\$ENV:[A-Za-z_][A-Za-z0-9_]*$/;
const secretName = /key|token|secret|passw|auth|credential|session|cookie/i;

/** Everything below a name that sounds like a credential is hidden, but for the placeholders of the inputs. */
function hideValues(value: unknown, name: string): unknown {
  if (typeof value === "string" && /^\$(inputs?|shape)$/.test(value)) return value;
  if (secretName.test(name) && value !== null) return HIDDEN;
  if (Array.isArray(value)) return value.map((v: unknown) => hideValues(v, ""));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, hideValues(v, k)]));
}

function publicHttp(http: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { url, headers, request, ...rest } = http;
  const shown: Record<string, unknown> = { ...rest };
  if (typeof url === "string") shown["url"] = publicUrl(url);
  if (typeof headers === "object" && headers !== null) {
    shown["headers"] = Object.fromEntries(
      Object.entries(headers).map(([k, v]) => [k, onlyNames.test(String(v)) ? v : HIDDEN]),
    );
  }
  if (request !== undefined) shown["request"] = hideValues(request, "");
  return shown;
}

export function publicSubject(subject: PlanSubject): PlanSubject {
  return {
    ...subject,
    ...(subject.model !== undefined && isUrl(subject.model) && { model: publicUrl(subject.model) }),
    ...(subject.http !== undefined && { http: publicHttp(subject.http) }),
  };
}

export const publicPlan = (plan: Plan): Plan => ({ ...plan, subjects: plan.subjects.map(publicSubject) });
