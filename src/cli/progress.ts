import type { RunListener } from "../audit/run.ts";

/** Progress on stderr: one line that is redrawn on a terminal, a line every few seconds elsewhere. */
export interface Progress {
  /** Starts a task; the last one ends. */
  task(name: string): void;
  step(done: number, of: number, note?: string): void;
  /** Ends the task with a word ("done", "reused"). */
  end(word?: string): void;
  /** A line that stays. */
  line(text: string): void;
}

const EVERY_MS = 5000;
const REDRAW_MS = 100;

export function startProgress(stream: NodeJS.WriteStream = process.stderr, quiet = false): Progress {
  if (quiet) return { task() {}, step() {}, end() {}, line() {} };
  const live = stream.isTTY === true && process.env["CI"] === undefined;
  let name: string | null = null;
  let started = 0;
  let drawn = 0;
  const clear = (): void => void (live && stream.write("\r\u001b[2K"));
  const seconds = (): string => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  const draw = (text: string): void => {
    if (live) stream.write(`\r\u001b[2K${text.slice(0, (stream.columns || 100) - 1)}`);
    else stream.write(text + "\n");
  };
  const end = (word = "done"): void => {
    if (name === null) return;
    clear();
    stream.write(`  ${name}: ${word}${word === "done" ? ` in ${seconds()}` : ""}\n`);
    name = null;
  };
  return {
    task(next) {
      end();
      name = next;
      started = drawn = performance.now();
      if (live) draw(`  ${name} ...`);
    },
    step(done, of, note) {
      if (name === null) return;
      const now = performance.now();
      if (now - drawn < (live ? REDRAW_MS : EVERY_MS)) return;
      drawn = now;
      const spent = (now - started) / 1000;
      const left = done > 0 && of > done ? `, about ${Math.ceil((spent / done) * (of - done))} s left` : "";
      const share = of > 0 ? `${Math.floor((100 * done) / of)} %` : `${done}`;
      draw(`  ${name} ... ${share}${left}${note === undefined ? "" : `  (${note})`}`);
    },
    end(word) {
      end(word);
    },
    line(text) {
      clear();
      stream.write(text + "\n");
    },
  };
}

/** Shows the probes of an audit as tasks. */
export function listenWith(progress: Progress): RunListener {
  return {
    probe({ subject, probe, state, note }) {
      const name = `${subject}: ${probe}`;
      if (state === "start") progress.task(name);
      else if (state === "done") progress.end();
      else if (state === "reused") progress.line(`  ${name}: already on disk`);
      else if (state === "skipped") progress.line(`  ${name}: skipped, ${note}`);
      else {
        progress.end("failed");
        progress.line(`  ${name}: ${note}`);
      }
    },
    step({ done, of, note }) {
      progress.step(done, of, note);
    },
  };
}
