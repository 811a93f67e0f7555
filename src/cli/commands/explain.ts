import type { Command } from "commander";
import { catalog, findEntry } from "../../audit/catalog.ts";
import type { OptionSpec } from "../../contract/index.ts";
import { errorCodes, MarauderError } from "../../errors.ts";
import { columns, wrap } from "../text.ts";

function rangeOf(spec: OptionSpec): string {
  switch (spec.type) {
    case "choice":
      return spec.choices.join(" | ");
    case "boolean":
      return "true | false";
    case "text":
      return "text";
    default:
      return `${spec.min ?? ""} to ${spec.max ?? ""}`;
  }
}

/** marauder explain <id> */
export function addExplain(main: Command): void {
  main
    .command("explain")
    .description(
      "what an attack, detector, defense, probe, check or error code does, its paper, options and differences from the paper",
    )
    .argument("<id>", "for instance pgd, spectral-signatures, adversarial-examples, BOUNDS_MISSING")
    .option("--json", "print JSON")
    .action((id: string, options: { json?: boolean }) => {
      if (Object.hasOwn(errorCodes, id)) {
        process.stdout.write(`${id}: ${errorCodes[id as keyof typeof errorCodes]}\n`);
        return;
      }
      const entry = findEntry(id);
      if (entry === null) {
        throw new MarauderError(
          "UNKNOWN_ID",
          `nothing has the id ${JSON.stringify(id)}; expected one of ${catalog.map((e) => e.id).join(", ")}`,
        );
      }
      if (options.json === true) {
        process.stdout.write(JSON.stringify(entry, null, 2) + "\n");
        return;
      }
      const lines = [`${entry.id} (${entry.kind}, ${entry.risk}): ${entry.title}`, "", wrap(entry.summary)];
      if (entry.needs.length > 0) lines.push("", `Needs: ${entry.needs.join(", ")}`);
      if (entry.paper !== null) {
        const { authors, year, title, url, section } = entry.paper;
        lines.push(
          "",
          wrap(`Paper: ${authors} ${year}, "${title}"${section === undefined ? "" : `, section ${section}`}. ${url}`),
        );
        lines.push("", "Differences from the paper:");
        lines.push(...(entry.differences.length === 0 ? ["  none"] : entry.differences.map((d) => wrap(d, 100, "  "))));
      }
      if (entry.threat !== null) {
        const { knows, changes, spends, atlas, nist } = entry.threat;
        lines.push("", `The adversary knows: ${knows}`, `         changes: ${changes}`, `          spends: ${spends}`);
        lines.push(`MITRE ATLAS ${atlas.join(", ")}; NIST AI 100-2 ${nist.join(", ")}`);
      }
      const specs = Object.entries(entry.options);
      if (specs.length > 0) {
        lines.push("", "Options (--option name=value):");
        lines.push(
          columns(
            ["name", "default", "range", "meaning"],
            specs.map(([name, s]) => [name, String(s.default), rangeOf(s), s.doc]),
          ),
        );
      }
      process.stdout.write(lines.join("\n") + "\n");
    });
}
