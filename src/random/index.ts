export type { Rng } from "./rng.ts";
export { seeded } from "./counter.ts";
