import { createHash } from "node:crypto";
import { MarauderError } from "../../errors.ts";

/** Where the checkpoint of one training lies. A port: `checkpointFolder` keeps it in a folder. */
export interface CheckpointStore {
  /** Takes the place for one run. Throws FILE_WRITE while another run holds it. */
  open(): Promise<CheckpointPlace>;
}

export interface CheckpointPlace {
  /** The last whole checkpoint, null where there is none. */
  read(): Promise<Uint8Array | null>;
  /** Replaces the checkpoint whole or not at all. */
  write(content: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** When to write: as soon as so much time or so many steps have passed, on cancellation, and at the end. */
export interface Checkpointing {
  readonly store: CheckpointStore;
  /** Default 20 000. */
  readonly everyMs?: number;
  /** Default: by time alone. */
  readonly everySteps?: number;
}

/** What a training is: two trainings of equal identity take the same steps. Compared key by key. */
export type Identity = Readonly<Record<string, string | number | boolean | null>>;

export interface Checkpoint {
  readonly identity: Identity;
  /** Number of steps done. */
  readonly step: number;
  /** Sums over the rows of the epoch so far, for progress. */
  readonly epoch: { readonly correct: number; readonly loss: number; readonly rows: number };
  /** Parameters, then the states of the optimizer. */
  readonly vectors: readonly Float32Array[];
}

const MAGIC = "marauder checkpoint 1\n";
const DIGEST = 32;
const MAX_HEADER = 1 << 20;
const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

/** Magic, length of the header, header (JSON), vectors (float32, little endian), SHA-256 of all that. */
export function encodeCheckpoint({ identity, step, epoch, vectors }: Checkpoint): Uint8Array {
  const header = Buffer.from(JSON.stringify({ identity, step, epoch, sizes: vectors.map((v) => v.length) }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const body = Buffer.concat([
    Buffer.from(MAGIC),
    length,
    header,
    ...vectors.map((v) => Buffer.from(v.buffer, v.byteOffset, v.byteLength)),
  ]);
  return Buffer.concat([body, sha256(body)]);
}

/** Throws DATA_CORRUPT for anything that `encodeCheckpoint` did not write. */
export function decodeCheckpoint(content: Uint8Array): Checkpoint {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const body = bytes.subarray(0, Math.max(0, bytes.length - DIGEST));
  if (body.toString("latin1", 0, MAGIC.length) !== MAGIC) throw damaged("it does not begin like one");
  if (!sha256(body).equals(bytes.subarray(body.length))) throw damaged("its check sum is wrong");
  const start = MAGIC.length + 4;
  const length = body.length < start ? MAX_HEADER : body.readUInt32LE(MAGIC.length);
  if (length >= MAX_HEADER || start + length > body.length) throw damaged("its header is cut off");
  const header = JSON.parse(body.toString("utf8", start, start + length)) as Omit<Checkpoint, "vectors"> & {
    sizes: number[];
  };
  const vectors: Float32Array[] = [];
  let at = start + length;
  for (const size of header.sizes) {
    if (at + 4 * size > body.length) throw damaged("numbers are missing");
    vectors.push(new Float32Array(new Uint8Array(body.subarray(at, at + 4 * size)).buffer));
    at += 4 * size;
  }
  return { identity: header.identity, step: header.step, epoch: header.epoch, vectors };
}

const damaged = (why: string): MarauderError =>
  new MarauderError(
    "DATA_CORRUPT",
    `the checkpoint is damaged: ${why}; delete the checkpoint folder to begin the training anew`,
  );

/** Throws OPTION_RANGE with what differs, where a checkpoint belongs to another training. */
export function checkIdentity(found: Identity, expected: Identity): void {
  const differing = [...new Set([...Object.keys(found), ...Object.keys(expected)])].filter(
    (key) => found[key] !== expected[key],
  );
  if (differing.length === 0) return;
  const list = differing.map((k) => `${k} was ${show(found[k])}, is ${show(expected[k])}`).join("; ");
  throw new MarauderError(
    "OPTION_RANGE",
    `the checkpoint belongs to another training: ${list}; use another checkpoint folder, or the same data and options`,
    { details: { differing } },
  );
}

const show = (value: unknown): string => (value === undefined ? "not there" : JSON.stringify(value));

/** SHA-256 over arrays of numbers, in hexadecimal. */
export function digestOf(...parts: readonly (Float32Array | Int32Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  return hash.digest("hex");
}
