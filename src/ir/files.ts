import { closeSync, fstatSync, openSync, readSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { MarauderError } from "../errors.ts";
import { readBytes, systemReason, writeAtomically } from "../files.ts";
import { decodeModel } from "./decode.ts";
import { encodeModel } from "./encode.ts";
import type { Model } from "./graph.ts";
import { validate } from "./validate.ts";

/**
 * Reads and checks a model file; tensors in files beside it are read too, but nothing outside the model's own folder.
 * Throws FILE_NOT_FOUND, MODEL_CORRUPT, MODEL_UNSUPPORTED; each message begins with the path.
 */
export async function loadModel(path: string): Promise<Model> {
  const bytes = await readBytes(path, "model");
  try {
    return validate(decodeModel(bytes, { readExternal: externalReader(dirname(path)) }));
  } catch (error) {
    if (error instanceof MarauderError) {
      throw new MarauderError(error.code, `${path}: ${error.message}`, { details: { ...error.details }, cause: error });
    }
    throw error;
  }
}

/** Writes a model whole or not at all. Tensors from external files are written inside. */
export async function saveModel(model: Model, path: string): Promise<void> {
  await writeAtomically(path, encodeModel(model));
}

/** Reads external tensor data below `folder`; refuses every way out of it (absolute, "..", links). */
function externalReader(folder: string) {
  return (location: string, offset: number, length: number | null): Uint8Array => {
    const refuse = (why: string): MarauderError =>
      new MarauderError(
        "MODEL_CORRUPT",
        `external data ${JSON.stringify(location)} ${why}; expected a file in the model's own folder`,
      );
    if (isAbsolute(location) || location.includes("\0") || location.split(/[\\/]/).includes(".."))
      throw refuse("point outside the model's folder");
    const path = join(folder, location);
    let file: number;
    try {
      const inside = relative(realpathSync(folder), realpathSync(path));
      if (inside.startsWith("..") || isAbsolute(inside) || inside.split(sep)[0] === "..")
        throw refuse("lead outside the model's folder through a link");
      file = openSync(path, "r");
    } catch (error) {
      if (error instanceof MarauderError) throw error;
      throw refuse(`cannot be read: ${systemReason(error)}`);
    }
    try {
      const { size } = fstatSync(file);
      const wanted = length ?? size - offset;
      if (wanted < 0 || offset + wanted > size)
        throw refuse(`are too short: ${wanted} bytes from ${offset} are wanted, the file has ${size}`);
      const out = new Uint8Array(wanted);
      for (let done = 0; done < wanted;) {
        const n = readSync(file, out, done, wanted - done, offset + done);
        if (n === 0) throw refuse("ended while being read");
        done += n;
      }
      return out;
    } finally {
      closeSync(file);
    }
  };
}
