import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { dirname, join } from "node:path";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const folder = process.env["MARAUDER_SHARED_DATA"] ?? join(root, "../shared/data");

/** The folder of third-party data and models, or null where it is absent: `describe.skipIf(!sharedData)`. */
export const sharedData: string | null = existsSync(folder) ? folder : null;

/** Path of a file in the shared data. */
export const shared = (path: string): string => join(folder, path);

if (sharedData === null) console.log("skipped: no shared data");
