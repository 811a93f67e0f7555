// npm start: from nothing to a report. Arguments after -- are handed to `marauder demo`.
import { build, install, root, run } from "./prepare.mjs";
import { join } from "node:path";

install();
build();
run(process.execPath, [join(root, "dist/cli/main.js"), "demo", ...process.argv.slice(2)]);
