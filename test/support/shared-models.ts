import { readdirSync, readFileSync } from "node:fs";
import { shared, sharedData } from "./shared-data.ts";
import { untarFile, type TarFile } from "./tar.ts";

/** Every ONNX model of the shared data, archives included; `path` begins with the archive's name. */
export function* sharedModels(
  folders: readonly string[] = ["models", "onnx-node-tests", "vnncomp"],
): Generator<TarFile> {
  if (sharedData === null) return;
  for (const folder of folders) {
    for (const name of readdirSync(shared(folder), { recursive: true, encoding: "utf8" }).toSorted()) {
      const path = shared(`${folder}/${name}`);
      if (name.endsWith(".onnx")) yield { path: `${folder}/${name}`, bytes: readFileSync(path) };
      if (!name.endsWith(".tar.gz")) continue;
      for (const file of untarFile(path))
        if (file.path.endsWith(".onnx")) yield { path: `${folder}/${name}:${file.path}`, bytes: file.bytes };
    }
  }
}
