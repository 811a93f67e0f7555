import { MarauderError } from "../../errors.ts";
import { sha256 } from "../../random/sha256.ts";
import type { Canary } from "./canaries.ts";
import { candidateSpace } from "./format.ts";

/** What was planted where, in a file: the only secrets that Marauder ever shows in clear. */
export interface CanaryManifest {
  readonly schema: 1;
  readonly kind: "marauder canaries";
  /** Records of the corpus, with the planted ones. */
  readonly records: number;
  readonly canaries: readonly Canary[];
  /** SHA-256 over all of the above, in hexadecimal. */
  readonly digest: string;
}

type Body = Omit<CanaryManifest, "digest">;

function digestOf({ schema, kind, records, canaries }: Body): string {
  const rows = canaries.map(({ id, format, family, text, repetitions }) => [id, format, family, text, repetitions]);
  const bytes = new TextEncoder().encode(JSON.stringify([schema, kind, records, rows]));
  return Array.from(sha256(bytes), (word) => word.toString(16).padStart(8, "0")).join("");
}

export function makeManifest(records: number, canaries: readonly Canary[]): CanaryManifest {
  const body: Body = { schema: 1, kind: "marauder canaries", records, canaries };
  return Object.freeze({ ...body, digest: digestOf(body) });
}

/**
 * Reads a manifest and does not trust it: every text must fit its format, ids must differ, the digest must be right.
 * Throws DATA_CORRUPT.
 */
export function parseManifest(text: string, where: string): CanaryManifest {
  const refuse = (what: string): never => {
    throw new MarauderError(
      "DATA_CORRUPT",
      `${where} is not a manifest of canaries as it was written: ${what}; take the file that marauder canaries plant made`,
    );
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse("it is no JSON");
  }
  const given = value as Partial<CanaryManifest> | null;
  if (typeof given !== "object" || given?.kind !== "marauder canaries")
    return refuse('it is not of the kind "marauder canaries"');
  if (given.schema !== 1) return refuse(`it has schema ${JSON.stringify(given.schema)}, expected 1`);
  if (!Number.isSafeInteger(given.records) || !Array.isArray(given.canaries))
    return refuse("records or canaries are missing");
  const ids = new Set<string>();
  given.canaries.forEach((c: Partial<Canary> | null, i) => {
    const texts = [c?.id, c?.format, c?.family, c?.text];
    if (
      !texts.every((t) => typeof t === "string" && t !== "") ||
      !Number.isSafeInteger(c?.repetitions) ||
      c!.repetitions! < 0
    )
      refuse(`canary ${i + 1} needs id, format, family, text and repetitions`);
    if (ids.has(c!.id!)) refuse(`two canaries have the id ${JSON.stringify(c!.id)}`);
    ids.add(c!.id!);
    if (!candidateSpace(c!.format!).contains(c!.text!)) refuse(`the text of canary ${c!.id} does not fit its format`);
  });
  if (given.canaries.length === 0) refuse("it has no canary");
  const manifest = makeManifest(given.records!, given.canaries);
  if (given.digest !== manifest.digest) refuse("its digest is not that of its content, so it was changed");
  return manifest;
}
