import { createHash } from "node:crypto";
import type { Finding, Report, Severity } from "../contract/index.ts";
import { formatMeasured } from "./format.ts";
import { worstFirst } from "./order.ts";
import { atlas, nameOf, nist, type Taxonomy } from "./taxonomy.ts";
import { oneLine, shorten, visible, withoutCredentials } from "./text.ts";
import { severities, verdictOf } from "./words.ts";

/**
 * The findings as SARIF 2.1.0 (OASIS standard). A rule is a check; a result is a failed finding (kind "fail") or an
 * undecided one (kind "open", level "none"). Checks that could not run are notifications of the invocation. A result
 * lies in the model or data file, and logically in subject and rows; fingerprints come from check and subject, so that a
 * viewer recognizes the same finding in the next run.
 */
export function renderSarif(report: Report): string {
  const shown = worstFirst(report.findings).filter(({ outcome }) => outcome === "fail" || outcome === "inconclusive");
  const failed = report.findings.filter((finding) => finding.outcome === "error");
  const checks = [...new Set(worstFirst(report.findings).map((finding) => finding.check))];
  const taxonomies = [atlas, nist].filter((taxonomy) => idsOf(report, taxonomy).length > 0);
  const artifacts = artifactsOf(report);
  const log = {
    $schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "Marauder",
            version: oneLine(report.tool.version),
            informationUri: "https://www.npmjs.com/package/marauder-ml",
            rules: checks.map((check) => ruleOf(report, check)),
            supportedTaxonomies: taxonomies.map((taxonomy) => componentOf(taxonomy, taxonomies)),
          },
        },
        invocations: [
          {
            executionSuccessful: failed.length === 0,
            endTimeUtc: report.created,
            toolExecutionNotifications: failed.map((finding) => notificationOf(finding, checks)),
          },
        ],
        artifacts: artifacts.map(({ uri, hashes }) => ({ location: { uri }, ...(hashes && { hashes }) })),
        taxonomies: taxonomies.map((taxonomy) => taxonomyOf(report, taxonomy)),
        results: shown.map((finding) => resultOf(finding, checks, artifacts, taxonomies)),
        columnKind: "utf16CodeUnits",
        properties: { title: oneLine(report.title), seed: report.plan.seed, quick: report.plan.quick },
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

const levels: Readonly<Record<Severity, "error" | "warning" | "note">> = {
  critical: "error",
  high: "error",
  medium: "warning",
  low: "note",
  none: "note",
};

/** The score that code hosts sort by: the middle of each CVSS band. */
const scores: Readonly<Record<Severity, string>> = {
  critical: "9.5",
  high: "8.0",
  medium: "5.5",
  low: "2.0",
  none: "0.0",
};

function ruleOf(report: Report, check: string) {
  const findings = report.findings.filter((finding) => finding.check === check);
  const [first] = findings as [Finding];
  const failures = findings.filter((finding) => finding.outcome === "fail").map((finding) => finding.severity);
  const worst = severities.find((severity) => failures.includes(severity)) ?? "none";
  const advice = [...new Set(findings.flatMap((finding) => finding.advice))].map((sentence) => visible(sentence));
  const help = advice.length > 0 ? advice.join("\n") : "No advice was recorded for this check.";
  return {
    id: oneLine(check),
    shortDescription: { text: oneLine(first.title) },
    fullDescription: { text: descriptionOf(first) },
    help: { text: help },
    defaultConfiguration: { level: levels[worst] },
    properties: {
      tags: ["security", "machine-learning", first.risk, ...tagsOf(first)],
      "security-severity": scores[worst],
    },
    relationships: [atlas, nist].flatMap((taxonomy) =>
      [...new Set(findings.flatMap((finding) => taxonomy.ids(finding)))].map((id) => ({
        target: { id: oneLine(id), toolComponent: { name: taxonomy.name } },
        kinds: ["relevant"],
      })),
    ),
  };
}

function descriptionOf({ title, threat }: Finding): string {
  const parts = [
    title,
    threat.knows !== "" && `The adversary knows: ${threat.knows}`,
    threat.changes !== "" && `Changes: ${threat.changes}`,
    threat.spends !== "" && `Spends: ${threat.spends}`,
  ];
  return parts
    .filter((part) => part !== false)
    .map((part) => oneLine(part).replace(/\.$/, ""))
    .join(". ")
    .concat(".");
}

function resultOf(
  finding: Finding,
  checks: readonly string[],
  artifacts: readonly Artifact[],
  taxonomies: readonly Taxonomy[],
) {
  const open = finding.outcome !== "fail";
  const rows = rowsOf(finding);
  const subject = oneLine(finding.subject);
  return {
    ruleId: oneLine(finding.check),
    ruleIndex: checks.indexOf(finding.check),
    kind: open ? "open" : "fail",
    level: open ? "none" : levels[finding.severity],
    message: { text: messageText(finding.headline) },
    locations: [
      {
        ...physicalOf(artifacts, finding.subject),
        logicalLocations: [
          { name: subject, fullyQualifiedName: subject, kind: "resource" },
          ...rows.map((row) => ({ name: row, fullyQualifiedName: `${subject}/${row}`, kind: "row" })),
        ],
      },
    ],
    partialFingerprints: { "checkAndSubject/v1": fingerprint(finding) },
    taxa: taxonomies.flatMap((taxonomy, index) =>
      [...new Set(taxonomy.ids(finding))].map((id) => ({
        id: oneLine(id),
        toolComponent: { name: taxonomy.name, index },
      })),
    ),
    properties: {
      risk: finding.risk,
      verdict: verdictOf(finding),
      severity: finding.severity,
      ...(finding.evidence !== null && { evidence: finding.evidence }),
      measures: finding.measures.map(({ name, unit, value }) => `${oneLine(name)}: ${formatMeasured(value, unit)}`),
    },
  };
}

function notificationOf(finding: Finding, checks: readonly string[]) {
  return {
    level: "error",
    message: { text: messageText(`${finding.title} on ${finding.subject}: ${finding.headline}`) },
    associatedRule: { id: oneLine(finding.check), index: checks.indexOf(finding.check) },
  };
}

/** Text that a viewer takes for neither a placeholder "{0}" nor a link "[text](address)" (SARIF 3.11.5 and 3.11.6). */
function messageText(raw: string): string {
  return oneLine(raw)
    .replaceAll(/\{(?=\d+\})/g, "{{")
    .replaceAll(/(?<=\{\{\d+)\}/g, "}}")
    .replaceAll(/\[([^[\]]*)\](?=\()/g, "\\[$1\\]");
}

/** Ids of the examples that a finding shows: at most 20. */
function rowsOf(finding: Finding): readonly string[] {
  const ids = finding.details.flatMap((detail) =>
    detail.type === "images" || detail.type === "diff" ? detail.rows.map((row) => row.id) : [],
  );
  return [...new Set(ids)].slice(0, 20).map((id) => shorten(oneLine(id), 200));
}

function fingerprint(finding: Finding): string {
  return createHash("sha256")
    .update(JSON.stringify([finding.check, finding.subject]))
    .digest("hex");
}

function tagsOf(finding: Finding): readonly string[] {
  return [...new Set([...finding.threat.atlas, ...finding.threat.nist])].map(oneLine);
}

interface Artifact {
  readonly uri: string;
  readonly subjects: readonly string[];
  readonly hashes?: { readonly "sha-256": string };
}

/** The files that findings lie in: a subject's model, or its data where only data are audited. Each file once. */
function artifactsOf(report: Report): readonly Artifact[] {
  const byUri = new Map<string, Artifact>();
  for (const subject of report.plan.subjects) {
    const uri = uriOf(subject.model ?? subject.data ?? "");
    const prints = report.subjects.find((one) => one.id === subject.id)?.fingerprints ?? {};
    const print = prints[subject.model === undefined ? "data" : "model"];
    const digest = print === undefined ? undefined : /^sha256:([0-9a-f]{64})$/i.exec(print)?.[1];
    const known = byUri.get(uri);
    byUri.set(uri, {
      uri,
      subjects: [...(known?.subjects ?? []), subject.id],
      ...(digest !== undefined
        ? { hashes: { "sha-256": digest.toLowerCase() } }
        : known?.hashes && { hashes: known.hashes }),
    });
  }
  return [...byUri.values()];
}

function physicalOf(artifacts: readonly Artifact[], subject: string) {
  const index = artifacts.findIndex((artifact) => artifact.subjects.includes(subject));
  return index < 0 ? {} : { physicalLocation: { artifactLocation: { uri: artifacts[index]!.uri, index } } };
}

/** A path as an URI reference: every segment percent-encoded, so that no path can pass for an address. */
function uriOf(path: string): string {
  if (/^https?:\/\//i.test(path)) return withoutCredentials(path);
  const slashed = path.replaceAll("\\", "/");
  const encoded = Buffer.from(slashed) // lone surrogates become U+FFFD
    .toString()
    .split("/")
    .map((segment) => encodeURIComponent(segment))
    .join("/");
  if (/^[a-z]:\//i.test(slashed)) return `file:///${slashed[0]}:${encoded.slice(encoded.indexOf("/"))}`;
  return slashed.startsWith("/") ? `file://${encoded.replace(/^\/+/, "/")}` : encoded;
}

function idsOf(report: Report, taxonomy: Taxonomy): readonly string[] {
  return [...new Set(report.findings.flatMap((finding) => taxonomy.ids(finding)))];
}

function taxonomyOf(report: Report, taxonomy: Taxonomy) {
  return {
    name: taxonomy.name,
    organization: taxonomy.organization,
    informationUri: taxonomy.url,
    shortDescription: { text: `Attacks on machine learning named by ${taxonomy.organization}.` },
    isComprehensive: false,
    taxa: idsOf(report, taxonomy).map((id) => {
      const name = nameOf(taxonomy, id);
      const page = name === null ? null : taxonomy.page(id);
      return {
        id: oneLine(id),
        ...(name !== null && { name, shortDescription: { text: name } }),
        ...(page !== null && { helpUri: page }),
      };
    }),
  };
}

function componentOf(taxonomy: Taxonomy, taxonomies: readonly Taxonomy[]) {
  return { name: taxonomy.name, index: taxonomies.indexOf(taxonomy) };
}
