import { join } from "node:path";
import type { EvidenceBase, Report, RunRecord } from "../contract/index.ts";
import { MarauderError } from "../errors.ts";
import { readBytes, writeAtomically } from "../files.ts";
import { existsSync } from "node:fs";
import { checks } from "./checks/index.ts";
import { assembleReport, judge } from "./judge.ts";
import { checkPlan } from "./plan.ts";
import { probes } from "./probes/index.ts";
import { EvidenceStore } from "./store.ts";

const RECORD = "run.json";

/** Keeps what a run left besides its evidence, so that `rejudge` needs nothing else. */
export const writeRecord = (folder: string, record: RunRecord): Promise<void> =>
  writeAtomically(join(folder, RECORD), JSON.stringify(record, null, 1) + "\n");

/** Judges a run whose evidence lies in `folder`. Throws EVIDENCE_INVALID when a file of it is missing or damaged. */
export async function judgeRun(folder: string, record: RunRecord): Promise<Report> {
  const store = new EvidenceStore(folder);
  const evidence: EvidenceBase[] = [];
  for (const id of record.evidence) {
    if (!/^[a-zA-Z0-9._-]+$/.test(id)) {
      throw new MarauderError(
        "EVIDENCE_INVALID",
        `${join(folder, RECORD)} names the evidence ${JSON.stringify(id)}, which is no evidence id`,
      );
    }
    evidence.push(await store.read(id));
  }
  const kindsOf = (probe: string): string[] => probes.filter((p) => p.id === probe).map((p) => p.makes as string);
  return assembleReport(record, evidence, judge(record, evidence, checks, kindsOf));
}

/** Judges an earlier run again from its folder, with the checks of this version and no engine. */
export async function rejudge(folder: string): Promise<Report> {
  const path = join(folder, RECORD);
  if (!existsSync(path)) {
    throw new MarauderError(
      "EVIDENCE_INVALID",
      `${folder} holds no finished audit (no ${RECORD}); expected the folder that marauder audit wrote; run the audit, or finish it`,
    );
  }
  const text = (await readBytes(path, "record of a run")).toString("utf8");
  let record: RunRecord;
  try {
    record = JSON.parse(text) as RunRecord;
    if (record.schema !== 1 || !Array.isArray(record.evidence) || !Array.isArray(record.subjects))
      throw new Error("not of schema 1");
  } catch (error) {
    throw new MarauderError(
      "EVIDENCE_INVALID",
      `${path} is not the record of a run: ${(error as Error).message}; run the audit again`,
      {
        cause: error,
      },
    );
  }
  return judgeRun(folder, { ...record, plan: checkPlan(record.plan, path) });
}
