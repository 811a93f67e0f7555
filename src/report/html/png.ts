import { zlibSync } from "fflate";
import type { Picture } from "../../contract/index.ts";

/** Largest side of a picture, in pixels; the page shows pictures at most a few hundred pixels wide. */
const maxSide = 1024;

/** The picture as a `data:` URL of a PNG file; null where sizes and pixels do not fit together. */
export function pngUrl(picture: Picture): string | null {
  const { width, height, channels } = picture;
  const sizes = [width, height];
  if (!sizes.every((side) => Number.isInteger(side) && side >= 1 && side <= maxSide)) return null;
  if (channels !== 1 && channels !== 3) return null;
  const stride = width * channels;
  if (picture.pixels.length > 2 * stride * height + 8) return null;
  const pixels = Buffer.from(picture.pixels, "base64");
  if (pixels.length !== stride * height) return null;
  // Each row is preceded by its filter type: 0, none.
  const rows = new Uint8Array((stride + 1) * height);
  for (let y = 0; y < height; y++) {
    rows.set(pixels.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1);
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 8; // bits per channel
  header[9] = channels === 1 ? 0 : 2; // grey, or RGB
  const file = Buffer.concat([
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", header),
    chunk("IDAT", zlibSync(rows, { level: 9 })),
    chunk("IEND", new Uint8Array(0)),
  ]);
  return `data:image/png;base64,${file.toString("base64")}`;
}

/** A PNG chunk: length, type, data, CRC-32 of type and data (PNG specification, section 5.3). */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let index = 0; index < 4; index++) bytes[4 + index] = type.charCodeAt(index);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
