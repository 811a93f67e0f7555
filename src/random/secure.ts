import { randomFillSync } from "node:crypto";

/** Random 32-bit words from the operating system's generator, for noise that must not be predictable. */
export interface SecureWords {
  uint32(): number;
}

/**
 * A buffered source of secure words. Words are overwritten once they are handed out, so that a later look at the memory
 * finds only what has not been used yet.
 */
export function secureWords(buffered = 4096): SecureWords {
  const pool = new Uint32Array(buffered);
  let at = pool.length;
  return {
    uint32() {
      if (at === pool.length) {
        randomFillSync(pool);
        at = 0;
      }
      const word = pool[at]!;
      pool[at++] = 0;
      return word;
    },
  };
}
