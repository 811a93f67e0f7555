// npm pack and npm publish: dist is built from nothing, so that no output of a deleted source is shipped.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { bin, root, run } from "./prepare.mjs";

rmSync(join(root, "dist"), { recursive: true, force: true });
run(bin("tsc"), ["-b", "src"], { stdio: ["ignore", 2, 2] }); // stdout belongs to `npm pack --json`
