import { codeSpans, visible } from "../text.ts";

/**
 * Markup that escapes by construction: a string put into the template is text, never markup. The brand is a symbol, so
 * nothing read from JSON can pass for markup.
 */

const brand: unique symbol = Symbol("markup");

export interface Markup {
  readonly [brand]: string;
}

export type Piece = Markup | string | number | null | undefined | false | readonly Piece[];

/** `html\`<p title="${text}">${text}</p>\``. Attributes must be in double quotes. */
export function html(strings: TemplateStringsArray, ...pieces: readonly Piece[]): Markup {
  const parts = squeezed(strings);
  let text = parts[0]!;
  for (let index = 0; index < pieces.length; index++) text += print(pieces[index]) + parts[index + 1]!;
  return { [brand]: text };
}

/** A sentence on one line, with what stands between backticks as code. */
export function prose(sentence: string): Markup {
  return html`${codeSpans(sentence).map(({ code, text }) => (code ? html`<code>${text}</code>` : text))}`;
}

/** Markup from text of our own (style sheet, script, path data); never from a report. */
export function trusted(text: string): Markup {
  return { [brand]: text };
}

export function markupText(markup: Markup): string {
  return markup[brand];
}

/** Text as HTML text or attribute value, hidden characters made visible. */
export function escapeHtml(text: string): string {
  return visible(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

const squeezedParts = new WeakMap<TemplateStringsArray, readonly string[]>();

/** The template without the indentation that the formatter gave it: a line break says as much to a browser. */
function squeezed(strings: TemplateStringsArray): readonly string[] {
  let parts = squeezedParts.get(strings);
  if (parts === undefined) squeezedParts.set(strings, (parts = strings.map((part) => part.replaceAll(/\n\s*/g, "\n"))));
  return parts;
}

function print(piece: Piece): string {
  if (piece === null || piece === undefined || piece === false) return "";
  if (typeof piece === "string") return escapeHtml(piece);
  if (typeof piece === "number") return String(piece);
  if (isList(piece)) return piece.map(print).join("");
  return piece[brand];
}

function isList(piece: Piece): piece is readonly Piece[] {
  return Array.isArray(piece);
}
