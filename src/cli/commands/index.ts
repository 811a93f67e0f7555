import type { Command } from "commander";
import { addAccount } from "./account.ts";
import { addAttack } from "./attack.ts";
import { addAudit } from "./audit.ts";
import { addCalibrate } from "./calibrate.ts";
import { addDemo } from "./demo.ts";
import { addExplain } from "./explain.ts";
import { addInspect } from "./inspect.ts";
import { addList } from "./list.ts";
import { addReport } from "./report.ts";
import { addSanitize } from "./sanitize.ts";
import { addTrain } from "./train.ts";

/** The commands, in the order of `marauder --help`. */
export const commands: readonly ((main: Command, signal: AbortSignal) => void)[] = [
  addDemo,
  addAudit,
  addInspect,
  addAttack,
  addTrain,
  addSanitize,
  addAccount,
  addCalibrate,
  addReport,
  addList,
  addExplain,
];
