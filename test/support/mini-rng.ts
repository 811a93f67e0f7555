/** A small seeded stream of numbers in (-1, 1) for test inputs: a linear congruence, nothing for statistics. */
export function rngFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}
