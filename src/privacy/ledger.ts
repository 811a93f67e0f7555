import { MarauderError } from "../errors.ts";
import { sha256 } from "../random/sha256.ts";
import { account, type Account } from "./account.ts";
import { adjacencies, composed, parseEvent, type Adjacency, type DpEvent } from "./events.ts";
import { privacyFilter } from "./filter.ts";

/** Where a ledger lives; ledger-file.ts is the real one, tests have one that crashes. */
export interface LedgerDisk {
  /** Everything that was appended. */
  readLog(): string;
  /** The last state that was written whole, or null. */
  readHead(): string | null;
  appendLog(text: string): void;
  /** Returns when what was appended survives a power cut. */
  syncLog(): void;
  /** Replaces the head whole and durably. */
  replaceHead(text: string): void;
  /** Cuts the log to its first `length` characters (all ASCII). */
  cutLog(length: number): void;
  close(): void;
}

export interface LedgerBudget {
  readonly epsilon: number;
  readonly delta: number;
  readonly adjacency: Adjacency;
  /** Names the data, so that one budget is not spent on another data set: a hash or a name. */
  readonly dataset: string;
  /** Number of records; then a delta that allows publishing one of them outright is refused. */
  readonly records?: number;
}

export interface LedgerEntry {
  readonly id: number;
  readonly event: DpEvent;
  readonly label: string;
  /** The program, with its version, that reserved it. */
  readonly by: string;
  /** False: reserved only; the work may or may not have run. It counts as spent. */
  readonly committed: boolean;
}

/** An append-only account of what was done to one data set, within a budget. */
export interface Ledger {
  readonly budget: LedgerBudget;
  readonly entries: readonly LedgerEntry[];
  /** Hash of the last record; keep it elsewhere to notice a ledger that was put back to an older state. */
  readonly head: string;
  /** The guarantee for all that is spent, even if events were chosen by earlier results. Computed from the events. */
  readonly epsilon: number;
  /** The accounts of all events together, as if they had been fixed in advance. */
  account(): Account;
  /**
   * Counts an event as spent, durably, before it happens. Throws BUDGET_SPENT (nothing is spent) when it does not fit,
   * USAGE for an event of unknown cost, seeded noise included.
   */
  reserve(event: DpEvent, label: string): { readonly id: number; commit(): void };
  /** Reserve, run, commit. When the work fails, the reservation stays spent. */
  run<T>(event: DpEvent, label: string, work: () => T | Promise<T>): Promise<T>;
  close(): void;
}

const VERSION = 1;

const hashOf = (previous: string, body: string): string =>
  [...sha256(new TextEncoder().encode(`${previous}\n${body}`))].map((w) => w.toString(16).padStart(8, "0")).join("");

const invalid = (what: string): MarauderError =>
  new MarauderError(
    "LEDGER_INVALID",
    `the privacy ledger is refused: ${what}; restore it from a copy, or treat its budget as spent`,
  );

/** JSON in ASCII, so that lengths in characters and bytes agree. */
const ascii = (value: unknown): string =>
  JSON.stringify(value).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

/**
 * Opens a ledger, or makes one with `create` where there is none. A torn last line that was never acknowledged (a crash
 * while writing) is cut off; everything else that is not as written is refused with LEDGER_INVALID.
 */
export function openLedger(disk: LedgerDisk, create?: LedgerBudget, program = "unknown"): Ledger {
  const state = read(disk);
  if (state.budget === null) {
    if (create === undefined) throw invalid("it is empty and no budget was given to start it");
    checkRecords(create);
    write(disk, state, { type: "open", version: VERSION, by: program, ...pick(create) });
    state.budget = create;
  } else if (create !== undefined && ascii(pick(create)) !== ascii(pick(state.budget)))
    throw invalid(`it was started with another budget or data set (${ascii(pick(state.budget))})`);
  const budget = state.budget;
  const filter = privacyFilter(budget);
  for (const entry of state.entries) spendOld(filter, entry);
  return {
    budget,
    get entries() {
      return state.entries.map((entry) => ({ ...entry }));
    },
    get head() {
      return state.hash;
    },
    get epsilon() {
      return filter.epsilon;
    },
    account: () => account(composed(state.entries.map((e) => e.event)), budget.adjacency, budget.delta),
    reserve,
    async run(event, label, work) {
      const reservation = reserve(event, label);
      const result = await work();
      reservation.commit();
      return result;
    },
    close: () => disk.close(),
  };

  function reserve(given: DpEvent, label: string): { id: number; commit(): void } {
    const event = parseEvent(given);
    filter.spend(event); // refuses before anything is written
    const entry = { id: state.entries.length, event, label: label.slice(0, 200), by: program, committed: false };
    state.entries.push(entry); // from here on it counts, whatever happens to the disk
    write(disk, state, { type: "reserve", id: entry.id, event, label: entry.label, by: program });
    return {
      id: entry.id,
      commit() {
        if (entry.committed) return;
        write(disk, state, { type: "commit", id: entry.id });
        entry.committed = true;
      },
    };
  }
}

const pick = ({ epsilon, delta, adjacency, dataset, records }: LedgerBudget): LedgerBudget => ({
  epsilon,
  delta,
  adjacency,
  dataset,
  ...(records !== undefined && { records }),
});

function checkRecords({ delta, records }: LedgerBudget): void {
  if (records === undefined || (Number.isSafeInteger(records) && records > 0 && delta < 1 / records)) return;
  throw new MarauderError(
    "OPTION_RANGE",
    `a privacy ledger for ${records} records needs a delta below one over their number, got ${delta}: publishing one record at ` +
      `random would satisfy it; give at most ${(0.1 / Math.max(1, records)).toPrecision(2)}`,
  );
}

interface State {
  budget: LedgerBudget | null;
  entries: { id: number; event: DpEvent; label: string; by: string; committed: boolean }[];
  records: number;
  hash: string;
  /** A write failed: what is on the disk is not known until it is read again. */
  broken: boolean;
}

function write(disk: LedgerDisk, state: State, record: object): void {
  if (state.broken)
    throw new MarauderError("FILE_WRITE", "the privacy ledger could not be written before; close it and open it again");
  const body = ascii(record);
  const hash = hashOf(state.hash, body);
  state.broken = true;
  disk.appendLog(`${hash} ${body}\n`);
  disk.syncLog();
  state.hash = hash;
  state.records++;
  disk.replaceHead(`${state.records} ${hash}\n`);
  state.broken = false;
}

function read(disk: LedgerDisk): State {
  const log = disk.readLog();
  const state: State = { budget: null, entries: [], records: 0, hash: "", broken: false };
  const head = disk.readHead();
  const known = head === null ? null : /^(\d+) ([0-9a-f]{64})\n$/.exec(head);
  if (head !== null && known === null) throw invalid("its head file is not readable");
  const end = log.lastIndexOf("\n") + 1;
  const lines = log.slice(0, end).split("\n").slice(0, -1);
  const expected = known === null ? 0 : Number(known[1]);
  lines.forEach((line, i) => {
    const at = `record ${i + 1}`;
    const match = /^([0-9a-f]{64}) (\{.*\})$/.exec(line);
    if (!match) throw invalid(`${at} is not a record`);
    if (hashOf(state.hash, match[2]!) !== match[1])
      throw invalid(`${at} does not fit the chain of hashes: it or one before it was edited`);
    state.hash = match[1]!;
    state.records = i + 1;
    apply(state, match[2]!, at);
    if (i + 1 === expected && known![2] !== state.hash) throw invalid(`${at} is not the one that the head file names`);
  });
  if (lines.length < expected) throw invalid(`it has ${lines.length} of ${expected} records: the end was cut off`);
  if (lines.length > expected + 1) throw invalid(`it has ${lines.length} records, its head file knows ${expected}`);
  if (end < log.length) disk.cutLog(end); // never acknowledged: the work had not begun
  if (lines.length > expected) disk.replaceHead(`${state.records} ${state.hash}\n`);
  return state;
}

function apply(state: State, body: string, at: string): void {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(body) as Record<string, unknown>;
  } catch {
    throw invalid(`${at} is not JSON`);
  }
  if (record["type"] === "open") {
    if (state.records !== 1) throw invalid(`${at} starts a ledger inside a ledger`);
    if (record["version"] !== VERSION)
      throw invalid(`${at} is of version ${String(record["version"])}, expected ${VERSION}`);
    const { epsilon, delta, adjacency, dataset, records } = record as unknown as LedgerBudget;
    const counted = records === undefined || typeof records === "number";
    const fits = counted && typeof epsilon === "number" && typeof delta === "number" && typeof dataset === "string";
    if (!fits || !adjacencies.includes(adjacency)) throw invalid(`${at} has no valid budget`);
    state.budget = pick({ epsilon, delta, adjacency, dataset, ...(records !== undefined && { records }) });
    return;
  }
  if (state.budget === null) throw invalid("it does not begin with a budget");
  if (record["type"] === "reserve") {
    if (record["id"] !== state.entries.length)
      throw invalid(`${at} has the id ${String(record["id"])}, expected ${state.entries.length}`);
    const event = parseEvent(record["event"], `${at}: event`);
    const [label, by] = [String(record["label"]), String(record["by"])];
    state.entries.push({ id: state.entries.length, event, label, by, committed: false });
  } else if (record["type"] === "commit") {
    const entry = state.entries[record["id"] as number];
    if (entry === undefined || entry.committed)
      throw invalid(`${at} commits ${String(record["id"])}, which is not reserved`);
    entry.committed = true;
  } else throw invalid(`${at} is of the unknown type ${JSON.stringify(record["type"])}`);
}

function spendOld(filter: { spend(event: DpEvent): void }, entry: LedgerEntry): void {
  try {
    filter.spend(entry.event);
  } catch (error) {
    throw invalid(
      `entry ${entry.id} does not fit its budget (${error instanceof Error ? error.message : String(error)})`,
    );
  }
}
