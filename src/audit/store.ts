import { createHash } from "node:crypto";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { EvidenceBase } from "../contract/index.ts";
import { MarauderError } from "../errors.ts";
import { readBytes, systemReason, writeAtomically } from "../files.ts";

/** JSON with sorted keys: equal values give equal text, and so equal hashes. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, v: unknown) =>
    v !== null && typeof v === "object" && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  );
}

export const sha256 = (...parts: readonly (string | Uint8Array)[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

/** What decides the content of a piece of evidence; its hash is the evidence's id. */
export interface EvidenceKey {
  readonly probe: string;
  readonly subject: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed: number;
  readonly fingerprints: Readonly<Record<string, string>>;
  /** Moves when a probe's numbers change, so that old evidence is not taken for new. */
  readonly version: number;
}

export const evidenceId = (key: EvidenceKey): string =>
  `${key.subject}.${key.probe}.${sha256(canonicalJson(key)).slice(0, 16)}`;

/** A folder of evidence files. Writing is atomic; a damaged file is as good as none when running, an error when judging. */
export class EvidenceStore {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = join(folder, "evidence");
  }

  private path(id: string): string {
    return join(this.folder, `${id}.json`);
  }

  /** The evidence of that id, or null when there is none or it is damaged. */
  async find(id: string): Promise<EvidenceBase | null> {
    try {
      return await this.read(id);
    } catch (error) {
      if (error instanceof MarauderError) return null;
      throw error;
    }
  }

  /** Throws EVIDENCE_INVALID when the file is damaged or of another schema. */
  async read(id: string): Promise<EvidenceBase> {
    const path = this.path(id);
    const bytes = await readBytes(path, "evidence");
    const broken = (why: string, cause?: unknown): MarauderError =>
      new MarauderError("EVIDENCE_INVALID", `the evidence file ${path} ${why}; delete it and run the audit again`, {
        cause,
      });
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString("utf8"));
    } catch (error) {
      throw broken("is not JSON", error);
    }
    const evidence = value as Partial<EvidenceBase> | null;
    if (typeof evidence !== "object" || evidence === null || evidence.schema !== 1) throw broken("is not of schema 1");
    if (evidence.id !== id) throw broken(`says that its id is ${JSON.stringify(evidence.id)}`);
    if (typeof evidence.kind !== "string" || typeof evidence.subject !== "string")
      throw broken("has no kind or subject");
    return evidence as EvidenceBase;
  }

  async write(evidence: EvidenceBase): Promise<void> {
    await writeAtomically(this.path(evidence.id), JSON.stringify(evidence, null, 1) + "\n");
  }

  /** Ids of the files in the folder, sorted. */
  async list(): Promise<string[]> {
    try {
      return (await readdir(this.folder))
        .filter((name) => name.endsWith(".json"))
        .map((name) => name.slice(0, -5))
        .toSorted();
    } catch (error) {
      throw new MarauderError(
        "EVIDENCE_INVALID",
        `no evidence in ${this.folder}: ${systemReason(error)}; run an audit first`,
        {
          cause: error,
        },
      );
    }
  }

  /** Makes the folder, so that an unwritable place is found before hours of work. */
  async prepare(): Promise<void> {
    try {
      await mkdir(this.folder, { recursive: true });
    } catch (error) {
      throw new MarauderError("FILE_WRITE", `cannot make the folder ${this.folder}: ${systemReason(error)}`, {
        cause: error,
      });
    }
    await writeAtomically(join(this.folder, "README.txt"), readme);
  }
}

const readme = `Evidence of a Marauder audit: one file for each probe and subject, named by a hash of everything that decided it.
"marauder report <folder>" judges and renders it again without running anything.
`;
