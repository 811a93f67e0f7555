import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkWritable, readBytes, systemReason, writeAtomically } from "./files.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "marauder-files-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("files", () => {
  it("writes whole, makes folders, replaces, leaves nothing beside", async () => {
    const path = join(folder, "a/b/c.txt");
    await writeAtomically(path, "one");
    await writeAtomically(path, new Uint8Array([50]));
    expect(readFileSync(path, "utf8")).toBe("2");
    expect(readdirSync(join(folder, "a/b"))).toEqual(["c.txt"]);
  });

  it("keeps what stands in the way, and says what it is", async () => {
    mkdirSync(join(folder, "d"));
    writeFileSync(join(folder, "f"), "old");
    await expect(writeAtomically(join(folder, "d"), "x")).rejects.toMatchObject({ code: "FILE_WRITE" });
    await expect(writeAtomically(join(folder, "f/x"), "x")).rejects.toMatchObject({ code: "FILE_WRITE" });
    expect(readdirSync(folder).sort()).toEqual(["d", "f"]);
    expect(readFileSync(join(folder, "f"), "utf8")).toBe("old");
  });

  it("finds out before work whether a path can be written, and makes no file", async () => {
    await checkWritable(join(folder, "new/x"));
    expect(readdirSync(join(folder, "new"))).toEqual([]);
    writeFileSync(join(folder, "f"), "");
    await checkWritable(join(folder, "f"));
    await expect(checkWritable(join(folder, "new"))).rejects.toThrow(/it is a folder; nothing was changed/);
    await expect(checkWritable(join(folder, "f/x"))).rejects.toMatchObject({ code: "FILE_WRITE" });
  });

  it("says the system's reason in words", async () => {
    await expect(readBytes(join(folder, "none"), "plan")).rejects.toThrow(
      /cannot read the plan .*none: it does not exist/,
    );
    expect(systemReason(Object.assign(new Error("x"), { code: "ENOSPC" }))).toBe("the disk is full");
    expect(systemReason(new Error("odd"))).toBe("odd");
  });
});
