/**
 * An explicit, counter-based, splittable source of randomness. A child's stream depends on its path alone, never on
 * what was drawn from parent or siblings, so a result does not depend on batch size, thread count, order or resume:
 * `rng.child("pgd").child(exampleId)`.
 */
export interface Rng {
  /** The labels from the seed to here, joined by "/". */
  readonly path: string;
  child(label: string | number): Rng;
  /** Uniform on 0 .. 2^32 - 1. */
  uint32(): number;
  /** Uniform on [0, 1) with 53 random bits. */
  float(): number;
  /** Uniform on 0 .. n - 1 without modulo bias. */
  int(n: number): number;
  /** Standard normal. */
  normal(): number;
  fillUniform(out: Float32Array | Float64Array, low: number, high: number): void;
  fillNormal(out: Float32Array | Float64Array, mean?: number, sd?: number): void;
  /** A uniform permutation of 0 .. n - 1. */
  permutation(n: number): Uint32Array;
  /** k distinct numbers of 0 .. n - 1, in random order. */
  choose(n: number, k: number): Uint32Array;
}
