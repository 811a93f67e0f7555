import { createHash } from "node:crypto";
import { isCancelled } from "../../errors.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { Trainable } from "../architectures.ts";
import {
  checkIdentity,
  decodeCheckpoint,
  encodeCheckpoint,
  type Checkpointing,
  type Identity,
} from "../checkpoints/checkpoint.ts";
import type { Frozen } from "../programs.ts";
import type { PrivateTrainOptions } from "./options.ts";
import type { PrivatePlan } from "./plan.ts";

/** Where a training was left. */
export interface Left {
  /** Steps that count as spent: those that were done, and those that may have been done before a crash. */
  readonly spent: number;
  readonly updates: number;
  readonly vectors: readonly Float32Array[];
}

/** A training on its way: what is kept of it. */
export interface Kept {
  readonly start: Left | null;
  before(spent: number, updates: number, vectors: () => Float32Array[]): Promise<void>;
  after(spent: number, updates: number, vectors: () => Float32Array[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

interface Of {
  readonly trainable: Trainable;
  readonly first: Float32Array;
  readonly frozen: Frozen;
  readonly examples: { readonly features: Tensor; readonly targets: Tensor };
  readonly plan: PrivatePlan;
  readonly options: PrivateTrainOptions;
}

const EVERY_MS = 20_000;

/**
 * A checkpoint is written before the steps that it counts as spent: it says so many steps more than were done, and no
 * more than these are taken until the next one. After a crash they are gone, never counted twice or not at all; the
 * training goes on with fewer steps, and with fresh noise, since neither noise nor a seed is written.
 */
export async function openKept(checkpoint: Checkpointing | undefined, of: Of): Promise<Kept> {
  if (checkpoint === undefined) {
    return { start: null, before: async () => {}, after: async () => {}, close: async () => {} };
  }
  const place = await checkpoint.store.open();
  try {
    const identity = identityOf(of);
    const content = await place.read();
    let start: Left | null = null;
    if (content !== null) {
      const found = decodeCheckpoint(content);
      checkIdentity(found.identity, identity);
      start = { spent: found.step, updates: found.epoch.rows, vectors: found.vectors };
    }
    const { everyMs = EVERY_MS, everySteps = Infinity } = checkpoint;
    let covered = start?.spent ?? 0;
    let written = performance.now();
    let writtenAt = covered;
    const write = async (step: number, updates: number, vectors: Float32Array[]): Promise<void> => {
      // The only counter is that of updates; sums over the data are not kept, since nothing may be told of them.
      await place.write(encodeCheckpoint({ identity, step, epoch: { correct: 0, loss: 0, rows: updates }, vectors }));
    };
    return {
      start,
      async before(spent, updates, vectors) {
        if (spent < covered) return;
        const each = (performance.now() - written) / Math.max(1, spent - writtenAt);
        const ahead = Math.max(
          1,
          Math.min(everySteps, Math.floor(everyMs / Math.max(each, 1e-3)), 2 * (spent - writtenAt)),
        );
        covered = Math.min(of.plan.steps, spent + ahead);
        [written, writtenAt] = [performance.now(), spent];
        await write(covered, updates, vectors());
      },
      async after(spent, updates, vectors, signal) {
        if (spent < of.plan.steps && !signal.aborted) return;
        covered = spent;
        await write(spent, updates, vectors());
      },
      close: () => place.close(),
    };
  } catch (error) {
    if (!isCancelled(error)) await place.close();
    throw error;
  }
}

/** All that the training is; never the seed. */
function identityOf({ trainable, first, frozen, examples, plan, options }: Of): Identity {
  const { adaptiveClip, event, also, ...numbers } = plan;
  return {
    ...numbers,
    epsilon: Number.isFinite(plan.epsilon) ? plan.epsilon : null,
    adaptiveClip: JSON.stringify(adaptiveClip),
    event: JSON.stringify([...also, event]),
    ...options,
    augment: JSON.stringify(options.augment),
    model: digest(first, ...Object.values(frozen).map((t) => t.data)),
    parameters: trainable.parameters.length,
    shape: `${examples.features.dims.join(" ")} / ${examples.targets.dims.join(" ")}`,
    data: digest(examples.features.data as Float32Array, examples.targets.data as Float32Array),
  };
}

function digest(...parts: readonly ArrayBufferView[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  return hash.digest("hex");
}
