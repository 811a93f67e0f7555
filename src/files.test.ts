import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

  it("finds out before work whether a path can be written, and leaves nothing behind", async () => {
    writeFileSync(join(folder, "f"), "old");
    mkdirSync(join(folder, "d"));
    await checkWritable(join(folder, "new/deep/x"));
    await checkWritable(join(folder, "new/deep"), "folder");
    await checkWritable(join(folder, "f"));
    await checkWritable(join(folder, "d"), "folder");
    expect(readdirSync(folder).toSorted()).toEqual(["d", "f"]);
    expect(readdirSync(join(folder, "d"))).toEqual([]);
    expect(readFileSync(join(folder, "f"), "utf8")).toBe("old");
  });

  it("refuses what cannot be written: what failed, what was expected, what is there, what to do", async () => {
    writeFileSync(join(folder, "f"), "old");
    mkdirSync(join(folder, "d"));
    const refused = async (path: string, kind: "file" | "folder"): Promise<string> => {
      const error: unknown = await checkWritable(path, kind, `--out ${path}`).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: "FILE_WRITE" });
      return (error as Error).message.replaceAll(folder, "");
    };
    const end = "; name another place; nothing was changed";
    expect(await refused(join(folder, "d"), "file")).toBe(`cannot write --out /d: expected a file, got a folder${end}`);
    expect(await refused(join(folder, "f"), "folder")).toBe(
      `cannot write --out /f: expected a folder, got a file${end}`,
    );
    for (const kind of ["file", "folder"] as const) {
      expect(await refused(join(folder, "f/a/x"), kind)).toBe(
        `cannot write --out /f/a/x: expected a folder at /f, got a file${end}`,
      );
    }
    expect(readdirSync(folder).toSorted()).toEqual(["d", "f"]);
  });

  it.runIf(existsSync("/proc/self"))("refuses a folder of the system that takes no files, and a device", async () => {
    await expect(checkWritable("/proc/x", "folder", "--out /proc/x")).rejects.toThrow(
      /^cannot write --out \/proc\/x: expected a folder that takes files, got \/proc \(.+\); name another place/,
    );
    await expect(checkWritable("/dev/null")).rejects.toThrow(/expected a file, got a device/);
  });

  it("says the system's reason in words", async () => {
    await expect(readBytes(join(folder, "none"), "plan")).rejects.toThrow(
      /cannot read the plan .*none: it does not exist/,
    );
    expect(systemReason(Object.assign(new Error("x"), { code: "ENOSPC" }))).toBe("the disk is full");
    expect(systemReason(new Error("odd"))).toBe("odd");
  });
});
