import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hostile } from "../../test/golden/sample/hostile.ts";
import { sampleReport } from "../../test/golden/sample/report.ts";
import type { Report } from "../contract/index.ts";
import { escapeHtml } from "./html/markup.ts";
import { renderHtml } from "./html.ts";
import { oneLine } from "./text.ts";

const page = renderHtml(sampleReport);

/** Style and script are ours, and are compared by their hash; what is left is markup and text. */
function withoutOurs(html: string): string {
  return html.replace(/<style>[^]*?<\/style>/, "").replace(/<script>[^]*?<\/script>/, "");
}

/** Every tag, with its attributes. Exact, since `>` never stands unescaped in text or attribute values. */
function tagsOf(html: string) {
  return [...withoutOurs(html).matchAll(/<([^>]*)>/g)].map(([, inside]) => ({
    inside: inside!,
    /** What is left without quoted attributes: a name, and nothing else. */
    name: inside!
      .replaceAll(/\s[a-zA-Z][a-zA-Z0-9-]*="[^"]*"/g, "")
      .replace(/^\//, "")
      .replace(/\s*\/?$/, ""),
    attributes: [...inside!.matchAll(/\s([a-zA-Z][a-zA-Z0-9-]*)="([^"]*)"/g)].map(
      ([, name, value]) => [name!, value!] as const,
    ),
  }));
}

const knownTags = new Set(
  "html head meta title body a div nav main header footer section aside article h1 h2 h3 h4 p span b br i small code ul ol li dl dt dd time details summary figure figcaption img table thead tbody tr th td del ins mark svg desc g path line polyline polygon circle rect text clipPath".split(
    " ",
  ),
);

const values: Readonly<Record<string, RegExp>> = {
  src: /^data:image\/png;base64,[A-Za-z0-9+/=]+$/,
  href: /^(#[a-z0-9-]+|https:\/\/atlas\.mitre\.org\/techniques\/AML\.T[0-9.]+)$/,
  "clip-path": /^url\(#[a-z0-9-]+\)$/,
};

function expectHarmless(html: string): void {
  const problems = tagsOf(html).flatMap(({ inside, name, attributes }) => [
    ...(knownTags.has(name) || name === "!doctype html" ? [] : [`tag <${inside}>`]),
    ...attributes
      .filter(
        ([attribute, value]) =>
          /^on|^style$|^srcset$|^xlink/i.test(attribute) || values[attribute]?.test(value) === false,
      )
      .map(([attribute, value]) => `${attribute}="${value}"`),
  ]);
  expect(problems).toEqual([]);
  expect(html.match(/<script/g)).toHaveLength(1);
  expect(html.match(/<style/g)).toHaveLength(1);
}

/** The same report with every free text replaced. */
function withTexts(report: Report, text: () => string): Report {
  const fixed = new Set([
    "schema",
    "seed",
    "quick",
    "tool",
    "created",
    "pixels",
    "type",
    "outcome",
    "severity",
    "evidence",
    "risk",
    "unit",
    "scale",
    "style",
    "better",
  ]);
  const change = (value: unknown): unknown => {
    if (typeof value === "string") return text();
    if (Array.isArray(value)) return value.map(change);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, fixed.has(key) ? inner : change(inner)]),
    );
  };
  return change(report) as Report;
}

describe("renderHtml", () => {
  it("has no markup but its own, whatever the report says", () => {
    expectHarmless(page);
    for (const text of Object.values(hostile)) expectHarmless(renderHtml(withTexts(sampleReport, () => text)));
    const nasty = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(...Object.values(hostile), "javascript:alert(1)", "' onmouseover='x", "${x}", "$&"),
    );
    fc.assert(
      fc.property(fc.array(nasty, { minLength: 1, maxLength: 40 }), (texts) => {
        let next = 0;
        expectHarmless(renderHtml(withTexts(sampleReport, () => texts[next++ % texts.length]!)));
      }),
      { numRuns: 25, seed: 1 },
    );
  });

  it("finds planted markup: the check above can fail", () => {
    expect(() => expectHarmless(page.replace("</main>", "<img src=x onerror=alert(1)></main>"))).toThrow();
    expect(() => expectHarmless(page.replace("</main>", '<a href="javascript:alert(1)">x</a></main>'))).toThrow();
    expect(() => expectHarmless(page.replace("</main>", "<iframe></iframe></main>"))).toThrow();
  });

  it("shows hidden characters, and holds none", () => {
    // oxlint-disable-next-line no-control-regex
    expect(page).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/);
    expect(page).toContain("cat\\u202egnp.exe");
    expect(page).toContain("\\u001b[31mred");
  });

  it("allows its own style and script by hash, and nothing from elsewhere", () => {
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!;
    const hashOf = (element: string) =>
      createHash("sha256")
        .update(new RegExp(`<${element}>([^]*?)</${element}>`).exec(page)![1]!)
        .digest("base64");
    expect(policy.split("; ")).toEqual([
      "default-src 'none'",
      `style-src 'sha256-${hashOf("style")}'`,
      `script-src 'sha256-${hashOf("script")}'`,
      "img-src data:",
      "base-uri 'none'",
      "form-action 'none'",
    ]);
    expect(page.indexOf("Content-Security-Policy")).toBeLessThan(page.indexOf("<style>"));
    const style = /<style>([^]*?)<\/style>/.exec(page)![1]!;
    expect(style).not.toMatch(/url\(|@import|http/);
    expect(/<script>([^]*?)<\/script>/.exec(page)![1]!).not.toMatch(
      /innerHTML|outerHTML|insertAdjacent|document\.write|eval|fetch|XMLHttp|http/,
    );
  });

  it("contains every finding, subject, measure, advice, repair, warning and file", () => {
    const text = withoutOurs(page)
      .replaceAll(/<[^>]*>/g, "")
      .replaceAll(/\s+/g, " ");
    const has = (sentence: string) => {
      const escaped = escapeHtml(oneLine(sentence));
      expect(text.includes(escaped) || text.includes(escaped.replaceAll("`", "")), sentence).toBe(true);
    };
    for (const [index, finding] of sampleReport.findings.entries()) {
      expect(page).toContain(`id="finding-${index + 1}"`);
      has(finding.title);
      has(finding.headline);
      for (const { name } of finding.measures) has(name);
      for (const sentence of finding.advice) has(sentence);
      for (const { caption } of finding.details) has(caption);
      for (const file of finding.from) has(file);
      for (const id of [...finding.threat.atlas, ...finding.threat.nist]) has(id);
    }
    for (const subject of sampleReport.subjects)
      for (const one of [
        subject.title,
        subject.description,
        ...subject.assumptions,
        ...Object.values(subject.fingerprints),
      ])
        has(one);
    for (const repair of sampleReport.repairs)
      for (const one of [repair.title, repair.what, ...repair.rows.map((row) => row.name)]) has(one);
    for (const warning of sampleReport.warnings) has(warning);
  });

  it("links only to anchors that exist, once each", () => {
    const tags = tagsOf(page).flatMap(({ attributes }) => attributes);
    const ids = tags.filter(([name]) => name === "id").map(([, value]) => value);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [name, value] of tags) {
      if (name === "href" && value.startsWith("#")) expect(ids).toContain(value.slice(1));
      if (name === "aria-labelledby") for (const id of value.split(" ")) expect(ids).toContain(id);
    }
  });

  it("shows no credentials of an endpoint", () => {
    expect(page).not.toContain("hunter2");
    expect(page).toContain("https://predict.example:8443/v1/signs");
  });

  it("calls nothing robust by itself", () => {
    expect(JSON.stringify(sampleReport)).not.toMatch(/robust/i);
    expect(page).not.toMatch(/robust/i);
  });

  it("stays small", () => {
    const pictures = [...page.matchAll(/src="(data:[^"]*)"/g)].reduce((sum, [, url]) => sum + url!.length, 0);
    expect(page.length - pictures).toBeLessThan(300_000);
  });

  it("renders a report without findings, and says that nothing is known", () => {
    const empty: Report = { ...sampleReport, findings: [], repairs: [], warnings: [], subjects: [] };
    expect(renderHtml(empty)).toContain("This risk was not audited.");
    expect(renderHtml(empty)).toContain("nothing is known about this model");
  });

  it("keeps its promise for odd charts, pictures and tables", () => {
    const [first] = sampleReport.findings;
    const axis = { label: "x", scale: "log" as const };
    const odd: Report = {
      ...sampleReport,
      findings: [
        {
          ...first!,
          details: [
            { type: "series", caption: "no series", x: axis, y: axis, series: [] },
            { type: "series", caption: "no points", x: axis, y: axis, series: [{ name: "a", points: [] }] },
            {
              type: "series",
              caption: "one point",
              x: axis,
              y: axis,
              series: [{ name: "a", points: [{ x: 1, y: 1, low: 0, high: 2 }] }],
            },
            {
              type: "series",
              caption: "not finite",
              x: axis,
              y: axis,
              series: [
                {
                  name: "a",
                  points: [
                    { x: Number.NaN, y: Infinity },
                    { x: -1, y: 0 },
                  ],
                },
              ],
            },
            {
              type: "series",
              caption: "bad domain",
              x: { ...axis, domain: [0, 0] },
              y: axis,
              series: [
                {
                  name: "a",
                  points: [
                    { x: 1, y: 1 },
                    { x: 1e300, y: 1e-300 },
                  ],
                },
              ],
            },
            {
              type: "images",
              caption: "bad",
              rows: [
                {
                  id: "a",
                  cells: [{ title: "", note: "", picture: { width: 1e9, height: 1e9, channels: 3, pixels: "" } }],
                },
              ],
            },
            {
              type: "table",
              caption: "bad",
              columns: [
                { key: "__proto__", label: "p" },
                { key: "none", label: "n", unit: "count" },
              ],
              rows: [{}],
              highlight: [9],
            },
          ],
        },
      ],
    };
    const html = renderHtml(odd);
    expectHarmless(html);
    expect(withoutOurs(html)).not.toMatch(/NaN|Infinity|undefined|\[object/);
    expect(html).toContain("pixels do not fit its size");
  });
});
