import { createHash } from "node:crypto";
import { oneLine } from "../text.ts";
import { html, markupText, trusted, type Markup } from "./markup.ts";
import { pageScript } from "./script.ts";
import { pageStyle } from "./style.ts";

/** Allows the style sheet and the script by their hash (so not a byte may stand beside them in their elements), pictures inside the file, and nothing else. */
const contentPolicy = (): string =>
  [
    "default-src 'none'",
    `style-src '${hash(pageStyle)}'`,
    `script-src '${hash(pageScript)}'`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");

/** A page of its own with the report's style and script; `body` stands before the script. */
export function htmlPage(title: string, version: string, body: Markup): string {
  return markupText(
    html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta http-equiv="Content-Security-Policy" content="${trusted(contentPolicy())}" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content="light dark" />
          <meta name="generator" content="marauder ${version}" />
          <meta name="referrer" content="no-referrer" />
          <title>${oneLine(title)} · Marauder</title>
          ${trusted(`<style>${pageStyle}</style>`)}
        </head>
        <body>
          ${body} ${trusted(`<script>${pageScript}</script>`)}
        </body>
      </html> `,
  );
}

function hash(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
