import { readdir, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { MarauderError } from "../../errors.ts";
import { readBytes, systemReason } from "../../files.ts";
import { gunzipIfNeeded } from "../idx.ts";
import { untar } from "../tar.ts";

/** One text that a person wrote or received: a mail, a message, a paragraph. The unit of privacy is the record. */
export interface TextRecord {
  readonly id: string;
  readonly text: string;
}

export interface ReadTextOptions {
  /** Of a folder or an archive only the files whose path has this part, "ham/" for instance. */
  readonly only?: string;
  /** How a plain text file falls into records; paragraphs are what stands between empty lines. */
  readonly split?: "paragraphs" | "lines" | "whole";
  /** Of a file of labelled messages (label, tab, text) only those with this label. */
  readonly label?: string;
  /** Use only the first so many records. */
  readonly samples?: number;
}

/**
 * Reads texts: a folder or a .tar(.gz) of mails (one file, one record), labelled messages (label, tab, text, as the SMS Spam
 * Collection has them), .jsonl with "text" in every line, or a plain text file. Bytes that are no UTF-8 are read as Latin-1.
 * Empty records are left out. Throws FILE_NOT_FOUND, DATA_CORRUPT, NOT_ENOUGH_DATA.
 */
export async function readTexts(path: string, options: ReadTextOptions = {}): Promise<TextRecord[]> {
  const all = await readAll(path, options);
  const found = all.filter(({ text }) => text.trim() !== "").slice(0, options.samples);
  if (found.length > 0) return found;
  throw new MarauderError(
    "NOT_ENOUGH_DATA",
    `${path} holds no text${options.only === undefined ? "" : ` in files whose path has ${JSON.stringify(options.only)}`}` +
      `${options.label === undefined ? "" : ` with the label ${JSON.stringify(options.label)}`}; expected at least one record that is not empty`,
  );
}

async function readAll(path: string, options: ReadTextOptions): Promise<TextRecord[]> {
  const wanted = (name: string): boolean => options.only === undefined || name.includes(options.only);
  const there = await stat(path).catch((error: unknown) => {
    throw new MarauderError("FILE_NOT_FOUND", `cannot read the texts ${path}: ${systemReason(error)}; check the path`);
  });
  if (there.isDirectory()) {
    const names = (await readdir(path, { recursive: true, withFileTypes: true }))
      .filter((e) => e.isFile() && !e.name.startsWith("."))
      .map((e) => relative(path, join(e.parentPath, e.name)))
      .filter(wanted)
      .sort();
    const found: TextRecord[] = [];
    // One after the other: a system lets a process open some thousand files, and a folder of mails may hold more.
    for (const id of names) found.push({ id, text: decodeText(await readBytes(join(path, id), "text file")) });
    return found;
  }
  const bytes = gunzipIfNeeded(await readBytes(path, "text file"), path);
  if (/\.(tar|tgz|tar\.gz)$/i.test(path)) {
    return [...untar(bytes, path)]
      .filter((f) => wanted(f.path))
      .map((f) => ({ id: f.path, text: decodeText(f.bytes) }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }
  const text = decodeText(bytes);
  if (/\.jsonl(\.gz)?$/i.test(path)) return jsonLines(text, path);
  const labelled = labelledLines(text);
  if (labelled !== null) return labelled.filter((r) => options.label === undefined || r.label === options.label);
  const parts =
    options.split === "whole"
      ? [text]
      : text.split(options.split === "lines" ? /\r?\n/ : /\r?\n[ \t]*(?:\r?\n[ \t]*)+/);
  return parts.map((part, i) => ({ id: String(i), text: part }));
}

const strict = new TextDecoder("utf-8", { fatal: true });
const latin1 = new TextDecoder("latin1");

function decodeText(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return latin1.decode(bytes);
  }
}

/** Lines of "label, tab, text" where all lines are so and labels are few; else null. A first line of titles is passed by. */
function labelledLines(text: string): (TextRecord & { readonly label: string })[] | null {
  const lines = text.split(/\r?\n/).filter((line) => line !== "");
  const rows = lines.map((line) => /^([A-Za-z]{1,20})\t(.*)$/.exec(line));
  if (rows.length < 2 || rows.some((r) => r === null)) return null;
  const body = rows[0]![1]!.toLowerCase() === "label" ? rows.slice(1) : rows;
  if (new Set(body.map((r) => r![1])).size > 20) return null;
  return body.map((r, i) => ({ id: String(i), label: r![1]!, text: r![2]! }));
}

function jsonLines(text: string, path: string): TextRecord[] {
  const lines = text.split("\n");
  return lines.flatMap((line, i): TextRecord[] => {
    if (line.trim() === "") return [];
    let value: { id?: unknown; text?: unknown } | null;
    try {
      value = JSON.parse(line) as typeof value;
    } catch {
      value = null;
    }
    if (typeof value?.text !== "string") {
      throw new MarauderError(
        "DATA_CORRUPT",
        `line ${i + 1} of ${path} is no record; expected {"text": "..."} in every line`,
      );
    }
    return [{ id: typeof value.id === "string" ? value.id : String(i), text: value.text }];
  });
}

/** Records as JSON lines, which `readTexts` reads again. */
export const jsonLinesOf = (records: readonly TextRecord[]): string =>
  records.map(({ id, text }) => JSON.stringify({ id, text }) + "\n").join("");

/**
 * Text in the few characters of a small model's vocabulary: lower case if asked for, accents taken off, tabs and runs of
 * spaces as one space, line breaks as "\n", every other character as "?".
 */
export function plainText(text: string, { lowerCase = true }: { readonly lowerCase?: boolean } = {}): string {
  const folded = text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/\r\n?/g, "\n")
    .replace(/[^\S\n]+/g, " ")
    .replace(/[^\n -~]/gu, "?");
  return lowerCase ? folded.toLowerCase() : folded;
}
