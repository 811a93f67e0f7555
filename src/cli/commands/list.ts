import type { Command } from "commander";
import { catalog } from "../../audit/catalog.ts";
import { MarauderError } from "../../errors.ts";
import { columns } from "../text.ts";

/** marauder list */
export function addList(main: Command): void {
  main
    .command("list")
    .description("attacks, detectors, defenses, probes and checks, with their papers and needs")
    .argument("[kind]", "only this kind: attack, detector, defense, probe or check")
    .option("--json", "print JSON")
    .action((kind: string | undefined, options: { json?: boolean }) => {
      const kinds = [...new Set(catalog.map((entry) => entry.kind as string))];
      if (kind !== undefined && !kinds.includes(kind.replace(/s$/, ""))) {
        throw new MarauderError(
          "USAGE",
          `nothing is of the kind ${JSON.stringify(kind)}; expected one of ${kinds.join(", ")}`,
        );
      }
      const entries = catalog.filter((entry) => kind === undefined || entry.kind === kind.replace(/s$/, ""));
      if (options.json === true) {
        process.stdout.write(JSON.stringify(entries, null, 2) + "\n");
        return;
      }
      const rows = entries.map((e) => [
        e.kind,
        e.id,
        e.risk,
        e.needs.join(", "),
        e.paper === null ? "" : `${e.paper.authors} ${e.paper.year}`,
      ]);
      process.stdout.write(columns(["kind", "id", "risk", "needs", "paper"], rows) + "\n");
    });
}
