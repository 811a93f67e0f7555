import { describe, expect, it } from "vitest";
import { formatDuration, formatMeasured, formatNumber } from "./format.ts";
import { codeSpans, oneLine, shorten, visible, withoutCredentials } from "./text.ts";
import { fit, textWidth, wrap } from "./width.ts";

describe("visible", () => {
  it.each([
    ["a\u202eb", "a\\u202eb"],
    ["\u001b[31m", "\\u001b[31m"],
    ["a\u2028b\u2029", "a\\u2028b\\u2029"],
    ["zero\u200bwidth", "zero\\u200bwidth"],
    ["\ud800 alone", "\\ud800 alone"],
    ["tag \u{e0041}", "tag \\u{e0041}"],
    ["Zürich 東京 😀 é\n\t", "Zürich 東京 😀 é\n\t"],
  ])("%j is %j", (from, to) => expect(visible(from)).toBe(to));
});

describe("text", () => {
  it("goes on one line", () => expect(oneLine(" a\n b\t\tc ")).toBe("a b c"));
  it("is cut by characters, not halves of them", () => {
    expect(shorten("😀😀😀", 2)).toBe("😀…");
    expect(shorten("abc", 3)).toBe("abc");
    expect(shorten("x".repeat(1e6), 5)).toBe("xxxx…");
  });
  it("loses credentials of an address, and only of an address", () => {
    expect(withoutCredentials("https://u:p@h.example/a?key=1#x")).toBe("https://h.example/a");
    expect(withoutCredentials("http://u:p@[bad/a?key=1")).toBe("http://[bad/a");
    expect(withoutCredentials("models/a@b?.onnx")).toBe("models/a@b?.onnx");
  });
  it("is code between a pair of backticks", () => {
    expect(codeSpans("run `a b` now")).toEqual([
      { code: false, text: "run " },
      { code: true, text: "a b" },
      { code: false, text: " now" },
    ]);
    expect(codeSpans("one ` alone")).toEqual([{ code: false, text: "one ` alone" }]);
  });
});

describe("numbers", () => {
  it.each([
    [0, "fraction", "0 %"],
    [1, "fraction", "100 %"],
    [0.5, "fraction", "50.0 %"],
    [0.0004, "fraction", "0.04 %"],
    [0.9996, "fraction", "99.96 %"],
    [0.99999, "fraction", "99.999 %"],
    [0.9994, "fraction", "99.9 %"],
    [1.25, "fraction", "125.0 %"],
    [-0.01, "fraction", "-1.0 %"],
    [1234567, "count", "1,234,567"],
    [17.5, "count", "17.5"],
    [0.0431234, "input units", "0.0431"],
    [1.2e-7, "none", "1.20e-7"],
    [12345.678, "seconds", "12,350 s"],
    [Infinity, "nats", "∞"],
    [Number.NaN, "none", "not available"],
  ] as const)("%d as %s is %s", (value, unit, text) => expect(formatNumber(value, unit)).toBe(text));

  it("carry their interval, its level where it is unusual, and open ends", () => {
    expect(formatMeasured({ value: 0.1, low: 0.05, high: 0.2 }, "fraction")).toBe("10.0 % (5.0 to 20.0 %)");
    expect(formatMeasured({ value: 0.1, low: 0.05, high: 0.2, level: 0.999 }, "none")).toBe(
      "0.1 (0.05 to 0.2 at 99.9 %)",
    );
    expect(formatMeasured({ value: 2, low: 1, high: Number.NaN }, "nats")).toBe("2 nats (at least 1 nats)");
    expect(formatMeasured(null)).toBe("–");
  });

  it("of time", () => {
    expect([0.5, 59.4, 125, 7260].map(formatDuration)).toEqual(["0.5 s", "59 s", "2 min 05 s", "2 h 01 min"]);
  });
});

describe("width in a terminal", () => {
  it("counts cells", () => {
    expect(textWidth("abc")).toBe(3);
    expect(textWidth("東京")).toBe(4);
    expect(textWidth("e\u0301")).toBe(1);
    expect(textWidth("😀")).toBe(2);
  });
  it("fits and wraps to it", () => {
    expect(fit("東京都", 5)).toBe("東京…");
    expect(fit("東京都", 4)).toBe("東… ");
    expect(fit("ab", 4)).toBe("ab  ");
    for (const line of wrap(`a ${"x".repeat(50)} 東京東京東京東京東京 end`, 10))
      expect(textWidth(line)).toBeLessThanOrEqual(10);
    expect(wrap("one two three", 8)).toEqual(["one two", "three"]);
  });
});
