export { renderHtml } from "./html.ts";
export { renderMarkdown, type MarkdownOptions } from "./markdown.ts";
export { renderSarif } from "./sarif.ts";
export { parseReport, parseReportText } from "./schema.ts";
export { renderTerminal, type TerminalOptions } from "./terminal.ts";
export { renderTradeoff, tradeoffDetails, tradeoffHeadline } from "./tradeoff.ts";
