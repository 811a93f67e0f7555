/** Noise drawn ahead, so that the time of a release does not depend on the noise. */
export interface NoisePool {
  /** The next noise value; draws on the spot when the pool is empty. */
  take(): number;
  /** Draws until the pool is full. Call it between releases. */
  refill(): void;
  readonly ready: number;
}

export function noisePool(draw: () => number, size: number): NoisePool {
  const values = new Float64Array(size);
  let ready = 0;
  return {
    take() {
      if (ready === 0) return draw();
      const value = values[--ready]!;
      values[ready] = 0;
      return value;
    },
    refill() {
      while (ready < size) values[ready++] = draw();
    },
    get ready() {
      return ready;
    },
  };
}
