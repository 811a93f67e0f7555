import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seeded, type Rng } from "../random/index.ts";
import { gaussian, poissonSampled, repeated, unsupported } from "./events.ts";
import { openLedger, type LedgerBudget, type LedgerDisk } from "./ledger.ts";
import { openLedgerFile } from "./ledger-file.ts";

const budget: LedgerBudget = { epsilon: 8, delta: 1e-5, adjacency: "add-or-remove", dataset: "test" };
const step = repeated(poissonSampled(0.01, gaussian(1.1)), 10);

/** A disk that dies at its n-th operation: of what was not synced, any part may be there afterwards. */
class Crash extends Error {}
function crashDisk(
  rng: Rng,
  files: { log: string; head: string | null },
  dieAt: number,
): LedgerDisk & { kill(): void } {
  let durable = files.log;
  let log = files.log;
  let operations = 0;
  const die = (): never => {
    // The unsynced tail survives up to a random point.
    const tail = log.slice(durable.length);
    files.log = log.startsWith(durable) ? durable + tail.slice(0, rng.int(tail.length + 1)) : durable;
    throw new Crash();
  };
  const tick = (): void => {
    if (++operations === dieAt) die();
  };
  return {
    readLog: () => log,
    readHead: () => files.head,
    appendLog(text) {
      if (operations + 1 === dieAt) log += text.slice(0, rng.int(text.length)); // torn in the middle of the write
      tick();
      log += text;
      tick();
    },
    syncLog() {
      tick();
      durable = log;
      tick();
    },
    replaceHead(text) {
      tick();
      files.head = text;
      tick();
    },
    cutLog(length) {
      log = log.slice(0, length);
      durable = log;
      tick();
    },
    close() {
      files.log = log;
    },
    kill() {
      files.log = durable;
    },
  };
}

test("a crash at any step never under-counts, and the ledger opens again: 1,000 runs", () => {
  let crashes = 0;
  for (let run = 0; run < 1000; run++) {
    const rng = seeded(run).child("ledger");
    const files = { log: "", head: null as string | null };
    let started = 0; // works that began: each must be found afterwards
    for (let life = 0; life < 4; life++) {
      const disk = crashDisk(rng, files, 1 + rng.int(30));
      try {
        const ledger = openLedger(disk, budget);
        expect(ledger.entries.length).toBeGreaterThanOrEqual(started);
        for (let i = 0; i < 4; i++) {
          const reservation = ledger.reserve(step, `work ${i}`);
          started = ledger.entries.length;
          if (rng.int(4) > 0) reservation.commit();
        }
        disk.close();
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        crashes++;
      }
    }
    const ledger = openLedger(crashDisk(rng, files, Infinity), budget);
    expect(ledger.entries.length).toBeGreaterThanOrEqual(started);
    if (started > 0) expect(ledger.epsilon).toBeGreaterThan(0);
  }
  expect(crashes).toBeGreaterThan(1000);
}, 60_000);

describe("what a ledger refuses", () => {
  const filled = (): { log: string; head: string | null } => {
    const files = { log: "", head: null as string | null };
    const disk = crashDisk(seeded(1), files, Infinity);
    const ledger = openLedger(disk, budget);
    for (let i = 0; i < 3; i++) ledger.reserve(step, `work ${i}`).commit();
    disk.close();
    return files;
  };
  const open = (files: { log: string; head: string | null }) =>
    openLedger(crashDisk(seeded(2), files, Infinity), budget);

  test("every single-character edit", () => {
    const { log, head } = filled();
    for (let i = 0; i < log.length; i += 7) {
      const edited = log.slice(0, i) + (log[i] === "1" ? "2" : "1") + log.slice(i + 1);
      if (edited !== log)
        expect(() => open({ log: edited, head }), `character ${i}`).toThrow(/privacy ledger is refused/);
    }
  });

  test("every truncation, at any character", () => {
    const { log, head } = filled();
    for (let i = 0; i < log.length; i += 3)
      expect(() => open({ log: log.slice(0, i), head })).toThrow(/cut off|refused/);
  });

  test("a removed, repeated or swapped record, and a missing head", () => {
    const { log, head } = filled();
    const lines = log.trimEnd().split("\n");
    const join_ = (list: (string | undefined)[]): string => list.join("\n") + "\n";
    expect(() => open({ log: join_(lines.toSpliced(2, 1)), head })).toThrow(/record 3 does not fit the chain/);
    expect(() => open({ log: join_([...lines, lines.at(-1)]), head })).toThrow(/does not fit the chain/);
    expect(() => open({ log: join_(lines.with(2, lines[3]!).with(3, lines[2]!)), head })).toThrow(/chain/);
    expect(() => open({ log, head: null })).toThrow(/head file knows 0/);
  });

  test("seeded noise and unknown events, another budget, and what exceeds the budget: nothing is spent", () => {
    const ledger = open(filled());
    const before = ledger.epsilon;
    expect(() => ledger.reserve(unsupported("NOT PRIVATE: seeded noise"), "x")).toThrow(
      /NOT PRIVATE.*nothing was spent/,
    );
    expect(() => ledger.reserve(gaussian(0.1), "x")).toThrow(/budget does not allow this.*nothing was spent/);
    expect(ledger.epsilon).toBe(before);
    expect(ledger.entries).toHaveLength(3);
    expect(() => openLedger(crashDisk(seeded(2), filled(), Infinity), { ...budget, epsilon: 80 })).toThrow(
      /another budget/,
    );
  });

  test("a delta that allows publishing a record, and what is written beside an event", () => {
    const files = { log: "", head: null as string | null };
    const make = (delta: number) =>
      openLedger(crashDisk(seeded(2), files, Infinity), { ...budget, delta, records: 60_000 }, "test 1.0");
    expect(() => make(1 / 60_000)).toThrow(
      /60000 records needs a delta below one over their number.*at most 0\.0000017/,
    );
    expect(files.log).toBe("");
    const ledger = make(1e-5);
    ledger.reserve(step, "w").commit();
    expect(ledger.entries[0]).toMatchObject({ by: "test 1.0", label: "w", event: step, committed: true });
    ledger.close();
    expect(files.log.split("\n")[1]).toMatch(
      /^[0-9a-f]{64} \{"type":"reserve","id":0,"event":\{"kind":"repeated".*"by":"test 1\.0"\}$/,
    );
  });

  test("a failed work stays spent", async () => {
    const ledger = open(filled());
    await expect(ledger.run(step, "fails", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(ledger.entries.at(-1)).toMatchObject({ label: "fails", committed: false });
  });
});

describe("on a real disk", () => {
  const folder = mkdtempSync(join(tmpdir(), "ledger-"));
  // As in the package: the program finds its version one folder up.
  const script = join(folder, "dist", "spend.mjs");
  writeFileSync(join(folder, "package.json"), `{ "version": "0.0.0-test" }`);
  beforeAll(async () => {
    const entry = join(folder, "entry.mjs");
    // Kills itself with SIGKILL before its n-th call of the file system (which is after the one before), or in the middle of
    // a write; "never" goes on until it is killed.
    writeFileSync(
      entry,
      `import fs from "node:fs";
       import { syncBuiltinESMExports } from "node:module";
       import { openLedgerFile } from ${JSON.stringify(resolve("src/privacy/ledger-file.ts"))};
       import { gaussian, poissonSampled, repeated } from ${JSON.stringify(resolve("src/privacy/events.ts"))};
       const say = fs.writeSync.bind(null, 1);
       const [, , path, at, when] = process.argv;
       let calls = 0;
       const die = () => { process.kill(process.pid, "SIGKILL"); for (;;); };
       for (const name of ["openSync", "readFileSync", "writeFileSync", "writeSync", "fsyncSync", "ftruncateSync", "linkSync", "renameSync", "closeSync", "rmSync"]) {
         const real = fs[name];
         fs[name] = (...given) => {
           calls++;
           if (calls === Number(at) && when === "before") die();
           if (calls === Number(at) && when === "torn" && name === "writeSync" && given[1].length > 1)
             { real(given[0], given[1].slice(0, given[1].length >> 1)); die(); }
           if (at === "0" && name === "writeSync" && given[1].length > 1) say("write " + calls + "\\n");
           return real(...given);
         };
       }
       syncBuiltinESMExports();
       const ledger = openLedgerFile(path, ${JSON.stringify(budget)});
       const event = repeated(poissonSampled(0.01, gaussian(1.1)), 10);
       for (let i = 0; at === "never" || i < 2; i++) { const r = ledger.reserve(event, "w"); say(ledger.entries.length + "\\n"); r.commit(); }
       ledger.close();
       say("calls " + calls + "\\n");`,
    );
    await build({
      configFile: false,
      logLevel: "silent",
      build: {
        ssr: entry,
        outDir: join(folder, "dist"),
        rollupOptions: { output: { entryFileNames: "spend.mjs" } },
      },
    });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs a child to its end or until it has said `lines` lines; gives what it said. */
  const child = async (path: string, args: string[], lines = Infinity): Promise<{ out: string[]; killed: boolean }> => {
    const process_ = spawn(process.execPath, [script, path, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    let out = "";
    await new Promise<void>((done) => {
      process_.stdout.on("data", (part: Buffer) => {
        out += String(part);
        if (out.split("\n").length > lines) process_.kill("SIGKILL");
      });
      process_.on("close", () => done());
    });
    return { out: out.split("\n").slice(0, -1), killed: process_.signalCode === "SIGKILL" };
  };
  /** Spent as far as a process was told before it died; the ledger opens again (and takes over the dead one's lock) and has no less. */
  const checkAfter = (path: string, acknowledged: number): void => {
    const ledger = openLedgerFile(path, budget);
    expect(ledger.entries.length).toBeGreaterThanOrEqual(acknowledged);
    expect(ledger.entries.length).toBeLessThanOrEqual(acknowledged + 1); // no more than the one on its way
    ledger.close();
  };
  const last = (out: readonly string[]): number => Math.max(0, ...out.map(Number).filter(Number.isFinite));

  test("a real process killed with -9 at each of its file-system calls: what was acknowledged is there", async () => {
    const whole = await child(join(folder, "whole.ledger"), ["0"]);
    const calls = Number(whole.out.at(-1)!.replace("calls ", ""));
    expect(calls).toBeGreaterThan(25);
    const torn = whole.out.filter((l) => l.startsWith("write ")).map((l) => Number(l.slice(6)));
    expect(torn.length).toBeGreaterThan(5);
    const jobs = Array.from({ length: calls }, (_, i) => i + 1).flatMap((at) => [
      { at, when: "before" },
      ...(torn.includes(at) ? [{ at, when: "torn" }] : []),
    ]);
    let killed = 0;
    const work = async (): Promise<void> => {
      for (let job = jobs.pop(); job !== undefined; job = jobs.pop()) {
        const path = join(folder, `${job.when}-${job.at}.ledger`);
        const { out, killed: dead } = await child(path, [String(job.at), job.when]);
        if (!dead) continue; // a torn write where nothing is written
        killed++;
        checkAfter(path, last(out));
        const ledger = openLedgerFile(path, budget); // and goes on as if nothing had been
        ledger.reserve(step, "after").commit();
        ledger.close();
      }
    };
    await Promise.all([work(), work(), work()]);
    expect(killed).toBeGreaterThan(calls);
  }, 180_000);

  test("one ledger, killed from outside at random moments, again and again", async () => {
    const path = join(folder, "killed.ledger");
    let acknowledged = 0;
    for (let round = 0; round < 5; round++) {
      const { out, killed } = await child(path, ["never"], 2 + 2 * round);
      expect(killed).toBe(true);
      acknowledged = Math.max(acknowledged, last(out));
      checkAfter(path, acknowledged);
    }
    expect(acknowledged).toBeGreaterThan(8);
  }, 60_000);

  test("two writers: the second is refused; an orderly close frees the ledger", () => {
    const path = join(folder, "two.ledger");
    const first = openLedgerFile(path, budget);
    expect(() => openLedgerFile(path, budget)).toThrow(/open in another process/);
    first.reserve(step, "w").commit();
    first.close();
    expect(existsSync(`${path}.lock`)).toBe(false);
    const again = openLedgerFile(path);
    expect(again.entries).toHaveLength(1);
    rmSync(`${path}.lock`);
    expect(() => again.reserve(step, "lock lost")).toThrow(/open in another process/);
    expect(() => again.reserve(step, "after a failed write")).toThrow(/open it again/);
    again.close();
  });

  test.skipIf(process.getuid?.() === 0)("a folder that cannot be written", () => {
    chmodSync(folder, 0o500);
    try {
      expect(() => openLedgerFile(join(folder, "no.ledger"), budget)).toThrow(
        /permission denied.*nothing may be released/,
      );
    } finally {
      chmodSync(folder, 0o700);
    }
  });

  test("a path that cannot be a ledger", () => {
    expect(() => openLedgerFile(join(folder, "none", "x.ledger"), budget)).toThrow(/cannot use the privacy ledger/);
    expect(() => openLedgerFile("/proc/x.ledger", budget)).toThrow(
      /cannot use the privacy ledger.*nothing may be released/,
    );
    expect(() => openLedgerFile(join(folder, "empty.ledger"))).toThrow(/no budget was given/);
    expect(readFileSync(join(folder, "empty.ledger"), "utf8")).toBe("");
  });
});
