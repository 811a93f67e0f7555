import { MarauderError } from "../errors.ts";
import { normalQuantile } from "./normal-quantile.ts";
import { mulHigh, philox } from "./philox.ts";
import type { Rng } from "./rng.ts";
import { sha256 } from "./sha256.ts";

const utf8 = new TextEncoder();

/**
 * A generator from a seed: Philox4x32-10 whose key and upper counter half are the first 128 bits of a SHA-256 chain
 * over the labels. Two paths share a stream only if 128 bits of SHA-256 collide; a stream repeats after 2^66 words.
 * Numbers and their decimal text are the same seed and the same label. Bits, uniforms and normals are the same on
 * every engine and machine. Not for secrets: privacy noise comes from a secure source.
 */
export function seeded(seed: number | string): Rng {
  const label = labelText(seed);
  return new CounterRng(label, sha256(utf8.encode(`marauder ${label}`)));
}

/** A label as the path has it: "/" and "~" are escaped (~1, ~0), so that different label lists have different paths. */
function labelText(label: number | string): string {
  if (typeof label === "number" && !Number.isFinite(label)) {
    throw new MarauderError("OPTION_RANGE", `a seed or label must be text or a finite number, got ${label}`);
  }
  return String(label).replaceAll("~", "~0").replaceAll("/", "~1");
}

class CounterRng implements Rng {
  readonly path: string;
  readonly #digest: Uint32Array;
  readonly #words = new Uint32Array(4);
  #used = 4;
  #low = 0;
  #high = 0;

  constructor(path: string, digest: Uint32Array) {
    this.path = path;
    this.#digest = digest;
  }

  child(label: number | string): Rng {
    const text = labelText(label);
    const bytes = utf8.encode(text);
    const message = new Uint8Array(32 + bytes.length);
    const view = new DataView(message.buffer);
    for (let i = 0; i < 8; i++) view.setUint32(4 * i, this.#digest[i]!);
    message.set(bytes, 32);
    return new CounterRng(`${this.path}/${text}`, sha256(message));
  }

  uint32(): number {
    if (this.#used === 4) {
      const d = this.#digest;
      philox(this.#words, this.#low, this.#high, d[2]!, d[3]!, d[0]!, d[1]!);
      this.#low = (this.#low + 1) >>> 0;
      if (this.#low === 0) this.#high = (this.#high + 1) >>> 0;
      this.#used = 0;
    }
    return this.#words[this.#used++]!;
  }

  float(): number {
    return this.#bits53() * 2 ** -53;
  }

  /** n from 1 to 2^53, else OPTION_RANGE. Lemire's multiply-and-reject (2019) below 2^32, plain rejection above. */
  int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 53) {
      throw new MarauderError("OPTION_RANGE", `a random whole number needs a range of 1 to 2^53 values, got ${n}`);
    }
    if (n > 2 ** 32) {
      const limit = 2 ** 53 - (2 ** 53 % n);
      let x = this.#bits53();
      while (x >= limit) x = this.#bits53();
      return x % n;
    }
    if (n === 2 ** 32) return this.uint32();
    const reject = (2 ** 32 - n) % n;
    let x = this.uint32();
    while (Math.imul(x, n) >>> 0 < reject) x = this.uint32();
    return mulHigh(x, n);
  }

  /** By inversion of the normal distribution function at the middle of one of 2^53 cells: always two words a draw. */
  normal(): number {
    const k = this.#bits53();
    // The upper half is mirrored, so that both tails are equally fine: 1 - p would lose the bits that matter there.
    return k < 2 ** 52 ? normalQuantile((k + 0.5) * 2 ** -53) : -normalQuantile((2 ** 53 - k - 0.5) * 2 ** -53);
  }

  /** Uniform on [low, high); in a Float32Array rounding can give `high` itself. */
  fillUniform(out: Float32Array | Float64Array, low: number, high: number): void {
    for (let i = 0; i < out.length; i++) out[i] = Math.min(high, low + (high - low) * this.float());
  }

  fillNormal(out: Float32Array | Float64Array, mean = 0, sd = 1): void {
    for (let i = 0; i < out.length; i++) out[i] = mean + sd * this.normal();
  }

  permutation(n: number): Uint32Array {
    return this.choose(n, n);
  }

  /** A Fisher-Yates shuffle stopped after k steps; sparse where k is far below n, with the same result. */
  choose(n: number, k: number): Uint32Array {
    if (!Number.isInteger(n) || !Number.isInteger(k) || k < 0 || k > n || n > 2 ** 32) {
      throw new MarauderError("OPTION_RANGE", `cannot choose ${k} of ${n}; expected whole numbers with 0 <= k <= n`);
    }
    const out = new Uint32Array(k);
    if (k * 8 > n) {
      const all = Uint32Array.from({ length: n }, (_, i) => i);
      for (let i = 0; i < k; i++) {
        const j = i + this.int(n - i);
        out[i] = all[j]!;
        all[j] = all[i]!;
      }
      return out;
    }
    const moved = new Map<number, number>();
    for (let i = 0; i < k; i++) {
      const j = i + this.int(n - i);
      out[i] = moved.get(j) ?? j;
      moved.set(j, moved.get(i) ?? i);
    }
    return out;
  }

  #bits53(): number {
    const high = this.uint32() >>> 5;
    return high * 2 ** 26 + (this.uint32() >>> 6);
  }
}
