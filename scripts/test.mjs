// npm test: from nothing to a tested clone. Arguments after -- are handed to vitest.
import { bin, build, install, run } from "./prepare.mjs";

install();
build();
run(bin("vitest"), ["run", ...process.argv.slice(2)]);
