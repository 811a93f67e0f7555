import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const pages = [
  ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].filter((page) => existsSync(page)),
  ...readdirSync("docs").map((name) => join("docs", name)),
].filter((page) => page.endsWith(".md"));

/** Targets of links and pictures of a page that are no URLs, without their anchors. Code does not count. */
const links = (text: string): string[] =>
  [...text.replace(/```[\s\S]*?```|`[^`\n]*`/g, "").matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g)]
    .map((match) => (match[1] ?? match[2])!.replace(/#.*$/, ""))
    .filter((target) => target !== "" && !/^[a-z]+:/i.test(target));

test.each(pages)("every link of %s leads somewhere", (page) => {
  const dead = links(readFileSync(page, "utf8")).filter((target) => !existsSync(join(dirname(page), target)));
  expect(dead).toEqual([]);
});

test("the reader of links sees links and pictures, and no code", () => {
  expect(links('[a](x.md#top) ![b](y.png) `[c](z)` [d](https://e) <img src="w.svg">')).toEqual([
    "x.md",
    "y.png",
    "w.svg",
  ]);
});

test("every page of docs is reached from another page", () => {
  const reached = new Set(
    pages.flatMap((page) => links(readFileSync(page, "utf8")).map((to) => join(dirname(page), to))),
  );
  const hidden = pages.filter(
    (page) => page.startsWith("docs") && page !== join("docs", "README.md") && !reached.has(page),
  );
  expect(hidden).toEqual([]);
});
