import type { Command } from "commander";
import { join } from "node:path";
import { auditPlan } from "../../audit/audit.ts";
import { writeAtomically } from "../../files.ts";
import { makeRepairs, makeSubjects, type Sizes } from "../demo/make.ts";
import { demoPlan } from "../demo/plan.ts";
import { openWorkshop } from "../demo/workshop.ts";
import { finishAudit } from "../finish-audit.ts";
import { seedValue } from "../flags.ts";
import { listenWith, startProgress } from "../progress.ts";

interface DemoFlags {
  out: string;
  seed: number;
  quick?: boolean;
  json?: boolean;
  quiet?: boolean;
}

const full: Sizes = { train: 5000, test: 4000, trusted: 2000, transactions: 8000, hardenEpochs: 5 };
const quick: Sizes = { train: 3000, test: 3000, trusted: 2000, transactions: 4000, hardenEpochs: 4 };

/** marauder demo: what `npm start` runs */
export function addDemo(main: Command, signal: AbortSignal): void {
  main
    .command("demo")
    .description(
      "make data and models, poison a copy, audit them, repair them, audit again: a whole report in a few minutes",
    )
    .option("--out <folder>", "where everything goes", "marauder-report")
    .option("--seed <n>", "seed of everything random", seedValue, 0)
    .option("--quick", "smaller data and budgets")
    .option("--json", "print report.json instead of the summary")
    .option("--quiet", "no progress on stderr")
    .action(async (flags: DemoFlags) => {
      const sizes = flags.quick === true ? quick : full;
      const settings = { seed: flags.seed, quick: flags.quick === true };
      const progress = startProgress(process.stderr, flags.quiet);
      const shop = await openWorkshop(join(flags.out, "demo"), settings, signal, progress);
      progress.line("Making data and models");
      await makeSubjects(shop, sizes);
      progress.line("Repairing what can be repaired");
      await makeRepairs(shop, sizes);
      const plan = demoPlan(settings);
      await writeAtomically(shop.path("plan.json"), JSON.stringify(plan, null, 2) + "\n");
      progress.line("Auditing, before and after");
      const report = await auditPlan(plan, {
        base: shop.folder,
        out: flags.out,
        signal,
        listener: listenWith(progress),
      });
      progress.end();
      await finishAudit(report, flags.out, flags);
      if (flags.json !== true) {
        process.stdout.write(
          `\nThe data, the models and the plan lie in ${shop.folder}; change plan.json and run\n  marauder audit ${shop.path("plan.json")} --out ${flags.out}\n`,
        );
      }
    });
}
