import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { shared, sharedData } from "../../../test/support/shared-data.ts";
import { jsonLinesOf, plainText, readTexts } from "./index.ts";

/** A tar archive (ustar) of small files. */
function tar(files: Readonly<Record<string, string | Uint8Array>>): Uint8Array {
  const parts = Object.entries(files).flatMap(([name, content]) => {
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write(bytes.length.toString(8).padStart(11, "0"), 124);
    header.write("0", 156);
    header.write("ustar\0", 257);
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

describe("texts", () => {
  let folder = "";
  const at = (name: string): string => join(folder, name);
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "texts-"));
    mkdirSync(at("mails/ham"), { recursive: true });
    mkdirSync(at("mails/spam"));
    writeFileSync(at("mails/ham/2.txt"), "second");
    writeFileSync(at("mails/ham/1.txt"), "first");
    writeFileSync(at("mails/spam/3.txt"), "buy");
    writeFileSync(at("mails/ham/empty.txt"), "  \n");
    const archive = tar({ "a/ham/1.txt": "one", "a/spam/2.txt": "two", "a/ham/latin.txt": Uint8Array.of(0x63, 0xe9) });
    writeFileSync(at("mails.tar.gz"), gzipSync(archive));
    writeFileSync(at("cut.tar"), archive.subarray(0, 514));
    writeFileSync(at("sms"), "Label\tSMS\nham\thello you\nspam\twin now\nham\tbye\n");
    writeFileSync(at("plain.txt"), "one\ntwo\n\n \nthree\n");
    writeFileSync(at("lines.jsonl"), jsonLinesOf([{ id: "x", text: "a\nb" }]));
    writeFileSync(at("bad.jsonl"), '{"text": "a"}\n{"no": 1}\n');
    writeFileSync(at("nothing.txt"), "\n\n");
  });
  const texts = async (name: string, options = {}): Promise<string[]> =>
    (await readTexts(at(name), options)).map((r) => r.text);

  it("of a folder are its files by name, without the empty ones", async () => {
    expect(await texts("mails")).toEqual(["first", "second", "buy"]);
    expect(await texts("mails", { only: "ham/" })).toEqual(["first", "second"]);
    expect(await texts("mails", { samples: 1 })).toEqual(["first"]);
  });
  it("of an archive likewise, with Latin-1 where it is no UTF-8", async () => {
    expect(await texts("mails.tar.gz", { only: "ham/" })).toEqual(["one", "cé"]);
  });
  it("of labelled messages are those with the label", async () => {
    expect(await texts("sms", { label: "ham" })).toEqual(["hello you", "bye"]);
    expect(await texts("sms")).toHaveLength(3);
  });
  it("of plain text are paragraphs, lines or the whole", async () => {
    expect(await texts("plain.txt")).toEqual(["one\ntwo", "three\n"]);
    expect(await texts("plain.txt", { split: "lines" })).toEqual(["one", "two", "three"]);
    expect(await texts("plain.txt", { split: "whole" })).toHaveLength(1);
  });
  it("of JSON lines come back as they were written", async () => {
    expect(await readTexts(at("lines.jsonl"))).toEqual([{ id: "x", text: "a\nb" }]);
  });
  it.each([
    ["missing", /does not exist/],
    ["bad.jsonl", /line 2 of .* is no record/],
    ["nothing.txt", /holds no text/],
    ["cut.tar", /no whole tar archive/],
  ])("of %s are refused", async (name, words) => {
    await expect(readTexts(at(name))).rejects.toThrow(words);
  });
  it("say which filter left nothing over", async () => {
    await expect(readTexts(at("mails"), { only: "drafts/" })).rejects.toThrow(/"drafts\/"/);
    await expect(readTexts(at("sms"), { label: "news" })).rejects.toThrow(/"news"/);
  });
  it("become plain text of few characters", () => {
    expect(plainText("Grüße,\tdear  Ann…\r\n€5")).toBe("gru?e, dear ann...\n?5");
    expect(plainText("A b", { lowerCase: false })).toBe("A b");
  });
  it.skipIf(!sharedData)("of the shared mail are all there", async () => {
    expect(await readTexts(shared("text/enron1.tar.gz"), { only: "/ham/" })).toHaveLength(3672);
    expect(await readTexts(shared("text/SMSSpamCollection"), { label: "ham" })).toHaveLength(4827);
  });
});
