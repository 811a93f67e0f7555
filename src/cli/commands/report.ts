import type { Command } from "commander";
import { rejudge } from "../../audit/finish.ts";
import { checkWritable } from "../../files.ts";
import { failOnOption, finishAudit } from "../finish-audit.ts";

/** marauder report <dir> */
export function addReport(main: Command): void {
  main
    .command("report")
    .description("judge and render the evidence of an earlier audit again; runs no model")
    .argument("<folder>", "the folder that the audit wrote")
    .addOption(failOnOption())
    .option("--json", "print report.json instead of the summary")
    .action(async (folder: string, options: { json?: boolean; failOn?: string }) => {
      await checkWritable(folder, "folder");
      await finishAudit(await rejudge(folder), folder, options);
    });
}
