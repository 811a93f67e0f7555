import { composed, repeated, type DpEvent } from "../../privacy/index.ts";

/** What was done to the data, in order: samplers write it, accountants read it. */
export interface EventLog {
  add(event: DpEvent, count?: number): void;
  /** All events as one; equal neighbours are one repeated event. */
  total(): DpEvent;
  readonly count: number;
}

/** A log that begins with events that happened before. */
export function eventLog(before: readonly DpEvent[] = []): EventLog {
  const runs: { event: DpEvent; count: number }[] = [];
  let count = 0;
  return {
    add(event, times = 1) {
      const last = runs.at(-1);
      count += times;
      if (last !== undefined && (last.event === event || JSON.stringify(last.event) === JSON.stringify(event))) {
        last.count += times;
      } else if (times > 0) runs.push({ event, count: times });
    },
    total: () => composed([...before, ...runs.map((run) => repeated(run.event, run.count))]),
    get count() {
      return count;
    },
  };
}
