/**
 * The one error class of Marauder and its table of codes.
 *
 * Message grammar: what failed; expected X, got Y; what to do. A message that starts with
 * "internal:" is our fault, every other one speaks to the user. `details` is machine-readable.
 */
export const errorCodes = {
  USAGE: "A command, option or argument is not understood.",
  OPTION_RANGE: "An option has a value outside its range or of the wrong type.",
  OPTION_UNKNOWN: "An option name is not known to the attack, detector or defense.",
  UNKNOWN_ID: "No attack, defense, check or architecture has that id.",
  PLAN_INVALID: "A plan file does not have the expected form.",
  FILE_NOT_FOUND: "A file or folder does not exist or cannot be read.",
  FILE_WRITE: "A file could not be written (disk full, no permission, name taken).",
  MODEL_CORRUPT: "A model file is truncated, cyclic, or not an ONNX file.",
  MODEL_UNSUPPORTED: "A model is valid but uses something that Marauder does not handle.",
  MODEL_INPUT: "A model's inputs or outputs do not fit what is asked of it.",
  GRAD_NO_RULE: "An operator without a gradient rule lies between the input and the loss.",
  SHAPE_MISMATCH: "Shapes do not fit together.",
  DTYPE_MISMATCH: "A tensor has another element type than expected.",
  ENGINE_FAILED: "The engine refused a model or failed while running it.",
  DATA_CORRUPT: "A data file is truncated or not of the format that its name says.",
  DATA_INVALID: "Data contain NaN, infinities, missing cells or labels out of range.",
  DATA_LABELS: "Labels are missing or do not fit the model's outputs.",
  BOUNDS_MISSING: "The input range is needed and cannot be guessed.",
  CAPABILITY_MISSING: "The target cannot do what the attack needs (scores, gradient, training).",
  BUDGET_SPENT: "The query, time or privacy budget is used up.",
  LEDGER_BUSY: "Another process has the privacy ledger open.",
  LEDGER_INVALID: "A privacy ledger is damaged, edited, truncated or of another schema.",
  HTTP_UNREACHABLE: "An endpoint does not answer.",
  HTTP_ANSWER: "An endpoint answers something that the response template does not fit.",
  TRAIN_DIVERGED: "The training loss is not finite.",
  EVIDENCE_INVALID: "An evidence folder is missing, damaged or of another schema.",
  REPORT_INVALID: "A report file is damaged or of another schema.",
  NOT_ENOUGH_DATA: "Too few rows for the question asked.",
  CANCELLED: "Stopped by the user; finished work is kept.",
  INTERNAL: "A fault of Marauder itself.",
} as const;

export type ErrorCode = keyof typeof errorCodes;

export class MarauderError extends Error {
  override readonly name = "MarauderError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: { details?: Record<string, unknown>; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = Object.freeze({ ...options.details });
  }
}

/** True where `error` means that the user stopped the work. */
export function isCancelled(error: unknown): boolean {
  return (
    (error instanceof MarauderError && error.code === "CANCELLED") ||
    (error instanceof Error && error.name === "AbortError")
  );
}

/** Throws CANCELLED when the signal is aborted. */
export function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) {
    throw new MarauderError("CANCELLED", "stopped by the user; finished work is kept", { cause: signal.reason });
  }
}

/**
 * Foreign text (an engine's words, an answer of an endpoint, a name in a file) made fit for a message: one line, at most
 * `max` characters, control and bidirectional characters escaped.
 */
export function excerpt(text: string, max = 300): string {
  const short = text.length > max ? `${text.slice(0, max)}... (${text.length} characters)` : text;
  return short
    .replace(/\s*[\r\n]+\s*/g, " ")
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`)
    .trim();
}
