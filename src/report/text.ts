/**
 * Text from a report may have been written by an attacker: class names, file names, row ids, extracted training text.
 * Characters that a reader cannot see but that change what is shown (terminal escapes, bidirectional overrides, line
 * separators, zero-width characters) are printed as their escape, in every output.
 */

// All control and format characters but line feed and tab. Joiners inside emoji show too: the price of hiding nothing.
const hidden = /(?![\n\t])[\p{Cc}\p{Cf}\u2028\u2029]/gu;
const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** The text with each hidden character written as `\u202e`; line feeds and tabs stay. */
export function visible(text: string): string {
  return text
    .replaceAll(loneSurrogate, (unit) => escaped(unit.charCodeAt(0)))
    .replaceAll(hidden, (character) => escaped(character.codePointAt(0)!));
}

/** `visible`, on one line: white space runs become one blank. */
export function oneLine(text: string): string {
  return visible(text).replaceAll(/\s+/g, " ").trim();
}

/** At most `limit` characters (code points), with an ellipsis where something was cut. */
export function shorten(text: string, limit: number): string {
  const characters = Array.from(text.slice(0, 4 * limit));
  return characters.length <= limit && text.length <= 4 * limit
    ? text
    : characters
        .slice(0, limit - 1)
        .join("")
        .trimEnd() + "…";
}

/** A sentence cut at its backticks: what stands between a pair of them is a command or a name to copy. */
export function codeSpans(sentence: string): readonly { readonly code: boolean; readonly text: string }[] {
  const parts = oneLine(sentence).split("`");
  if (parts.length % 2 === 0) return [{ code: false, text: parts.join("`") }];
  return parts.map((text, index) => ({ code: index % 2 === 1, text })).filter(({ text }) => text !== "");
}

/** A location without what may be secret: user name, password and query of a URL. File paths are returned as they are. */
export function withoutCredentials(location: string): string {
  if (!/^[a-z][a-z0-9+.-]+:\/\//i.test(location)) return location;
  try {
    const url = new URL(location);
    url.username = "";
    url.password = "";
    url.search = "";
    url.hash = "";
    return url.href;
  } catch {
    return location.replace(/\/\/[^/?#]*@/, "//").replace(/[?#].*$/s, "");
  }
}

function escaped(code: number): string {
  const hex = code.toString(16);
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, "0")}`;
}
