import { MarauderError } from "../errors.ts";
import type { Tensor } from "../tensor/index.ts";
import { inTurn } from "./engine.ts";
import type { Run, Session } from "./engine.ts";
import { loadInLane, type LaneSession } from "./lanes.ts";
import { failedRun, tensorsOf, wordsOf, type PlainRun } from "./ort-values.ts";

/**
 * A session whose runs go side by side: the first of each `lanes` runs in this thread, the others in threads that hold
 * copies of the model, made when there is something for them to do. Run i goes to lane i modulo `lanes`.
 */
export function laned(
  here: Session,
  lanes: number,
  plain: (run: Run) => PlainRun,
  copy: { readonly bytes: Uint8Array; readonly settings: object },
): Session {
  const started: Promise<LaneSession>[] = [];
  const elsewhere = (lane: number): Promise<LaneSession> =>
    (started[lane] ??= loadInLane(lane, copy.bytes, copy.settings).catch((cause: unknown) => {
      delete started[lane];
      throw new MarauderError("ENGINE_FAILED", `ONNX Runtime refused the model: ${wordsOf(cause)}`, { cause });
    }));

  async function runAll(runs: readonly Run[]): Promise<Record<string, Tensor>[]> {
    if (runs.length < 2) return await inTurn(here.run, runs);
    const others = await Promise.all(
      Array.from({ length: Math.min(lanes, runs.length) - 1 }, (_, k) => elsewhere(k + 1)),
    );
    const answers: Record<string, Tensor>[] = [];
    const shareOf = (lane: number): number[] => [...runs.keys()].filter((i) => i % lanes === lane);
    const away = async (lane: LaneSession, share: readonly number[]): Promise<void> => {
      const asked = share.map((i) => plain(runs[i]!));
      const made = await lane.run(asked).catch((cause: unknown) => {
        throw failedRun(cause, runs[share[0]!]!.feeds);
      });
      share.forEach((i, k) => (answers[i] = tensorsOf(made[k]!, asked[k]!.fetches)));
    };
    const mine = async (): Promise<void> => {
      for (const i of shareOf(0)) answers[i] = await here.run(runs[i]!.feeds, runs[i]!.fetches, runs[i]!.into);
      for (const lane of others) lane.look();
    };
    // The others are asked first: a run keeps this thread busy.
    const all = await Promise.allSettled([...others.map((lane, k) => away(lane, shareOf(k + 1))), mine()]);
    for (const one of all) if (one.status === "rejected") throw one.reason;
    return answers;
  }

  return {
    ...here,
    lanes,
    runAll,
    async close() {
      await here.close();
      for (const lane of started.splice(0)) await (await lane)?.close();
    },
  };
}
