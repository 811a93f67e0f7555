import { LineCounter, parseDocument, type Document } from "yaml";
import { MarauderError } from "../errors.ts";

export interface YamlText {
  readonly value: unknown;
  readonly document: Document;
  readonly lines: LineCounter;
}

/** Parses untrusted JSON or YAML. Throws PLAN_INVALID with the line and column of the first fault. */
export function parseYaml(text: string, where: string): YamlText {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const broken = document.errors[0];
  if (broken !== undefined) {
    const { line, col } = lines.linePos(broken.pos[0]);
    throw new MarauderError("PLAN_INVALID", `${where}, line ${line} column ${col}: ${broken.message}`);
  }
  try {
    return { value: document.toJS({ maxAliasCount: 20 }) as unknown, document, lines };
  } catch (error) {
    // Aliases that are unknown, or that unfold without end, show only here.
    throw new MarauderError("PLAN_INVALID", `${where}: ${(error as Error).message}; write the value out instead`, {
      cause: error,
    });
  }
}
