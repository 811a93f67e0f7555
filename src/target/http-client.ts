import { excerpt, MarauderError, throwIfCancelled } from "../errors.ts";
import type { Rng } from "../random/rng.ts";

export interface ClientOptions {
  readonly url: string;
  readonly method: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly backoffMs: number;
  readonly maxWaitMs: number;
  readonly requestsPerSecond: number | undefined;
  readonly maxResponseBytes: number;
  readonly rng: Rng;
  readonly signal: AbortSignal | undefined;
}

export interface HttpStats {
  requests: number;
  retries: number;
}

export interface Client {
  readonly stats: HttpStats;
  /** Sends a body as JSON and reads JSON. Throws HTTP_UNREACHABLE, HTTP_ANSWER or CANCELLED. */
  send(body: unknown): Promise<unknown>;
}

/** What one attempt came to: an answer, or a reason to try again (with the wait that the server asks for). */
type Attempt = { readonly answer: unknown } | { readonly again: string; readonly waitMs: number | null };

/** Sends one request at a time, with retries, back-off, a rate limit and a limit on the size of answers. */
export function makeClient(options: ClientOptions): Client {
  const stats: HttpStats = { requests: 0, retries: 0 };
  const jitter = options.rng.child("http-jitter");
  const gapMs = options.requestsPerSecond === undefined ? 0 : 1000 / options.requestsPerSecond;
  let nextAt = 0;
  return {
    stats,
    async send(body) {
      const text = JSON.stringify(body);
      for (let attempt = 0; ; attempt++) {
        const early = nextAt - performance.now();
        if (early > 0) await pause(early, options.signal);
        nextAt = Math.max(nextAt, performance.now()) + gapMs;
        stats.requests++;
        const outcome = await tryOnce(options, text);
        if ("answer" in outcome) return outcome.answer;
        const doubled = options.backoffMs * 2 ** Math.min(attempt, 20);
        const waitMs = outcome.waitMs ?? Math.min(doubled, options.maxWaitMs) * (0.5 + 0.5 * jitter.float());
        if (attempt >= options.retries || waitMs > options.maxWaitMs) {
          const tail =
            attempt >= options.retries
              ? `gave up after ${attempt + 1} ${attempt === 0 ? "try" : "tries"}`
              : `it asks to wait ${Math.ceil(waitMs / 1000)} s, more than maxWaitMs allows`;
          throw new MarauderError(
            "HTTP_UNREACHABLE",
            `${where(options)} ${outcome.again}; ${tail}; check that the service runs, or raise retries and timeoutMs`,
          );
        }
        stats.retries++;
        await pause(waitMs, options.signal);
      }
    },
  };
}

/** The endpoint as it may be printed: without its query, which may hold a key. */
const where = (options: ClientOptions): string => {
  const url = new URL(options.url);
  return excerpt(url.origin + url.pathname, 200);
};

async function tryOnce(options: ClientOptions, body: string): Promise<Attempt> {
  if (options.signal) throwIfCancelled(options.signal);
  const timeout = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout;
  let response: Response;
  let text: string;
  try {
    response = await fetch(options.url, {
      method: options.method,
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        ...Object.fromEntries(options.headers),
      },
      body,
      signal,
      // Followed redirects would carry keys in custom headers to another host.
      redirect: "manual",
    });
    text = await readLimited(response, options);
  } catch (cause) {
    if (options.signal) throwIfCancelled(options.signal);
    if (cause instanceof MarauderError) throw cause;
    if (timeout.aborted) return { again: `did not answer within ${options.timeoutMs} ms`, waitMs: null };
    return { again: `does not answer (${networkWords(cause)})`, waitMs: null };
  }
  if (response.status === 429 || response.status >= 500) {
    return { again: `answers ${response.status}`, waitMs: retryAfter(response.headers.get("retry-after")) };
  }
  if (response.status !== 200) {
    const hint =
      response.status >= 300 && response.status < 400
        ? "give the address that it redirects to"
        : "check url, headers and request";
    throw new MarauderError(
      "HTTP_ANSWER",
      `${where(options)} answers status ${response.status}; expected 200; ${hint}; it said: ${quote(text, options)}`,
      { details: { status: response.status } },
    );
  }
  try {
    return { answer: JSON.parse(text) as unknown };
  } catch {
    throw new MarauderError(
      "HTTP_ANSWER",
      `${where(options)} answers something that is not JSON: ${quote(text, options)}; check the url`,
    );
  }
}

async function readLimited(response: Response, options: ClientOptions): Promise<string> {
  if (response.body === null) return "";
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    size += part.length;
    if (size > options.maxResponseBytes) {
      throw new MarauderError(
        "HTTP_ANSWER",
        `${where(options)} answers more than ${options.maxResponseBytes} bytes; lower \`batch\` or raise maxResponseBytes`,
      );
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** An excerpt of a foreign answer in which no header value appears (some services echo their request). */
function quote(text: string, options: ClientOptions): string {
  let clean = text;
  for (const value of options.headers.values()) {
    for (const secret of [value, ...value.split(/\s+/)])
      if (secret.length >= 4) clean = clean.replaceAll(secret, "***");
  }
  return JSON.stringify(excerpt(clean, 200));
}

/** Node's own code of a network failure (ECONNREFUSED, ENOTFOUND); its message may hold more than we want to print. */
function networkWords(cause: unknown): string {
  for (let error = cause, depth = 0; error instanceof Error && depth < 5; error = error.cause, depth++) {
    const code = (error as { code?: unknown }).code;
    if (typeof code === "string" && /^[A-Z0-9_]{2,40}$/.test(code)) return code;
  }
  return "network failure";
}

/** Milliseconds of a Retry-After header: seconds or an HTTP date; null where it is absent or not understood. */
export function retryAfter(value: string | null, now = Date.now()): number | null {
  if (value === null) return null;
  if (/^\s*\d{1,9}\s*$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal) throwIfCancelled(signal);
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
  if (signal) throwIfCancelled(signal);
}
