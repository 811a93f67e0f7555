import { parseYaml } from "../audit/yaml-text.ts";
import { MarauderError } from "../errors.ts";
import { readBytes } from "../files.ts";

/** Reads the file of --http: templates and limits for an endpoint, JSON or YAML. Its fields are checked when it is used. */
export async function readHttpFile(path: string): Promise<Record<string, unknown>> {
  const text = (await readBytes(path, "endpoint configuration")).toString("utf8");
  const { value } = parseYaml(text, path);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MarauderError(
      "PLAN_INVALID",
      `${path} must hold fields such as request and response; see docs/endpoints.md`,
    );
  }
  return value as Record<string, unknown>;
}
