import { ScalarType, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { MarauderError } from "../errors.ts";
import { ModelProtoSchema } from "./proto/onnx_pb.ts";

/**
 * Limits on what a file may unfold into. An empty node takes 2 bytes in a file and some hundred in memory, so that a
 * small file could exhaust it; a real model of 100,000 nodes has about a million messages.
 */
const MAX_MESSAGES = 4_000_000;
/** Numbers in typed fields of variable length: one byte in the file, up to 32 in memory. Weights lie in raw bytes. */
const MAX_NUMBERS = 50_000_000;
/** As deep as the parser goes. */
const MAX_NESTING = 100;

interface FieldShape {
  readonly message: DescMessage | null;
  /** Lists of integers have at most one element per byte; a text is one element; floats grow no more than twofold. */
  readonly list: "integers" | "texts" | null;
}
const shapes = new WeakMap<DescMessage, ReadonlyMap<number, FieldShape>>();

function shapeOf(message: DescMessage): ReadonlyMap<number, FieldShape> {
  const known = shapes.get(message);
  if (known !== undefined) return known;
  const made = new Map(
    message.fields.map((f): [number, FieldShape] => [f.number, { message: f.message ?? null, list: listOf(f) }]),
  );
  shapes.set(message, made);
  return made;
}

function listOf(field: DescField): FieldShape["list"] {
  if (field.fieldKind !== "list" || field.listKind !== "scalar") return null;
  if (field.scalar === ScalarType.FLOAT || field.scalar === ScalarType.DOUBLE) return null;
  return field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES ? "texts" : "integers";
}

/**
 * Walks over a file without building anything and refuses one that would unfold beyond all measure. Damage is left for
 * the parser to name: the walk ends where the bytes make no sense. Throws MODEL_CORRUPT.
 */
export function checkLimits(bytes: Uint8Array): void {
  let [messages, numbers] = [0, 0];
  const count = (n: number): void => {
    numbers += n;
    if (numbers > MAX_NUMBERS) refuse(`${MAX_NUMBERS} numbers outside of raw_data`);
  };
  const walk = (from: number, end: number, schema: DescMessage, depth: number): void => {
    if (++messages > MAX_MESSAGES) refuse(`${MAX_MESSAGES} parts`);
    if (depth > MAX_NESTING) return;
    const fields = shapeOf(schema);
    let at = from;
    const varint = (): number => {
      let [value, scale] = [0, 1];
      for (let i = 0; i < 10 && at < end; i++) {
        const b = bytes[at++]!;
        value += (b & 127) * scale;
        scale *= 128;
        if (b < 128) return value;
      }
      return NaN;
    };
    while (at < end) {
      const tag = varint();
      const field = fields.get(Math.floor(tag / 8));
      const wire = tag % 8;
      if (wire === 0) {
        varint();
        if (field === undefined || field.list !== null) count(1);
      } else if (wire === 1) at += 8;
      else if (wire === 5) at += 4;
      else if (wire === 2) {
        const length = varint();
        const stop = at + length;
        if (!(stop <= end)) return;
        if (field === undefined) count(1);
        else if (field.message !== null) walk(at, stop, field.message, depth + 1);
        else if (field.list !== null) count(field.list === "texts" ? 1 : length);
        at = stop;
      } else return;
      if (Number.isNaN(tag)) return;
    }
  };
  walk(0, bytes.length, ModelProtoSchema, 0);
}

function refuse(what: string): never {
  throw new MarauderError(
    "MODEL_CORRUPT",
    `the file unfolds into more than ${what}; expected a model that fits into memory; store weights as raw_data`,
  );
}
