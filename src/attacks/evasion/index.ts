import { apgdCe } from "./apgd-ce.ts";
import { fgsm } from "./fgsm.ts";
import { pgd } from "./pgd.ts";
import { randomNoise } from "./random-noise.ts";
import { square } from "./square.ts";
import type { EvasionAttack } from "./subject.ts";

/** Every evasion attack, weakest first. Options are checked against each attack's own table before it runs. */
export const evasionAttacks = [randomNoise, fgsm, pgd, apgdCe, square] as unknown as readonly EvasionAttack[];

export { apgdCe, fgsm, pgd, randomNoise, square };
export { balls, type Ball, type Norm, type Space } from "./balls.ts";
export { defaultEps } from "./margin.ts";
export type { Ascent, EvasionAttack, EvasionSubject } from "./subject.ts";
export { runEvasion, type EvasionExample, type EvasionResult, type EvasionSettings } from "./frame.ts";
