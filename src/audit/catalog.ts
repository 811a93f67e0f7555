import { evasionAttacks } from "../attacks/evasion/index.ts";
import { membershipAttacks, memorizationScore, secretAttacks } from "../attacks/memorization/index.ts";
import { badnets, labelFlip } from "../attacks/poisoning/index.ts";
import type { Described, OptionSpec, Paper, Risk, Threat } from "../contract/index.ts";
import { knnLabelAgreement, spectralSignatures } from "../defenses/data/index.ts";
import { adversarialTraining, pate } from "../defenses/training/index.ts";
import { checks } from "./checks/index.ts";
import { probes } from "./probes/index.ts";

/** One thing that has an id, as `marauder list` and `marauder explain` show it. */
export interface CatalogEntry {
  readonly kind: "attack" | "detector" | "defense" | "probe" | "check";
  readonly id: string;
  readonly title: string;
  readonly summary: string;
  readonly risk: Risk;
  /** Capabilities of the target that it uses. */
  readonly needs: readonly string[];
  readonly paper: Paper | null;
  readonly differences: readonly string[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly threat: Threat | null;
}

type Method = Described & { readonly needs: readonly string[]; readonly options: object };

const method = (kind: CatalogEntry["kind"], risk: Risk, m: Method): CatalogEntry => ({
  kind,
  id: m.id,
  title: m.title,
  summary: m.summary,
  risk,
  needs: m.needs,
  paper: m.paper,
  differences: m.differences,
  options: m.options as Readonly<Record<string, OptionSpec>>,
  threat: null,
});

const own = { needs: [], paper: null, differences: [] } as const;

/** Everything with an id: attacks by risk, detectors, defenses, probes, checks. */
export const catalog: readonly CatalogEntry[] = [
  ...[labelFlip, badnets].map((a) => method("attack", "poisoning", a)),
  ...evasionAttacks.map((a) => method("attack", "evasion", a)),
  ...[...membershipAttacks, memorizationScore, ...secretAttacks].map((a) => method("attack", "memorization", a)),
  ...[spectralSignatures, knnLabelAgreement].map((d) => method("detector", "poisoning", d)),
  method("defense", "evasion", adversarialTraining),
  method("defense", "memorization", pate),
  ...probes.map((p): CatalogEntry => ({
    ...own,
    kind: "probe",
    id: p.id,
    title: p.title,
    summary: `Makes evidence of the kind "${p.makes}".`,
    risk: p.risk,
    options: p.options,
    threat: null,
  })),
  ...checks.map((c): CatalogEntry => ({
    ...own,
    kind: "check",
    id: c.id,
    title: c.title,
    summary: c.why,
    risk: c.risk,
    options: {},
    threat: c.threat,
  })),
];

/** The entry of an id. A probe that has an attack's id is shown as the attack. */
export const findEntry = (id: string): CatalogEntry | null => catalog.find((entry) => entry.id === id) ?? null;
