/**
 * Fast normal tails for the grids of the accountants. Cody (1969), "Rational Chebyshev approximations for the error
 * function", Mathematics of Computation 23: relative error about 1e-16 (the tests compare with stats/special.ts).
 */
const SQRT_PI_INVERSE = 0.5641895835477563;

const MID_TOP = [
  2.1531153547440383e-8, 0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001, 881.952221241769,
  1712.0476126340707, 2051.0783778260716, 1230.3393547979972,
];
const MID_BOTTOM = [
  1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597,
  4362.619090143247, 3439.3676741437216, 1230.3393548037495,
];
const FAR_TOP = [
  0.016315387137302097, 0.30532663496123236, 0.36034489994980445, 0.12578172611122926, 0.016083785148742275,
  0.0006587491615298378,
];
const FAR_BOTTOM = [
  1, 2.568520192289822, 1.8729528499234673, 0.5279051029514285, 0.06051834131244132, 0.0023352049762686918,
];
const NEAR_TOP = [0.18577770618460315, 3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694];
const NEAR_BOTTOM = [1, 23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171];

function ratio(top: readonly number[], bottom: readonly number[], x: number): number {
  let a = 0;
  let b = 0;
  for (let i = 0; i < top.length; i++) {
    a = a * x + top[i]!;
    b = b * x + bottom[i]!;
  }
  return a / b;
}

/** exp(x²) erfc(x) for x >= 0. */
export function erfcx(x: number): number {
  if (x <= 0.46875) return Math.exp(x * x) * (1 - x * ratio(NEAR_TOP, NEAR_BOTTOM, x * x));
  if (x <= 4) return ratio(MID_TOP, MID_BOTTOM, x);
  if (x > 1e8) return SQRT_PI_INVERSE / x;
  const z = 1 / (x * x);
  return (SQRT_PI_INVERSE - z * ratio(FAR_TOP, FAR_BOTTOM, z)) / x;
}

/** erfc(x) for every x. */
export function erfcFast(x: number): number {
  if (x < -0.46875) return 2 - erfcFast(-x);
  if (x <= 0.46875) return 1 - x * ratio(NEAR_TOP, NEAR_BOTTOM, x * x);
  return Math.exp(-x * x) * erfcx(x);
}

/** Standard normal upper tail P(Z > z). */
export const upperNormal = (z: number): number => erfcFast(z / Math.SQRT2) / 2;

/**
 * P(Z > z) - exp(a) P(Z > z + gap), where exp(a) is the ratio of the densities at z and z + gap, so that the exponents
 * are taken out before the difference. gap >= 0. With z = eps sigma - 1 / (2 sigma) and gap = 1 / sigma it is the
 * hockey-stick divergence of two Gaussians 1 / sigma apart (Balle and Wang 2018, theorem 8).
 */
export function tailGap(z: number, gap: number): number {
  const x = z / Math.SQRT2;
  const y = (z + gap) / Math.SQRT2;
  if (z >= 0) return 0.5 * Math.exp((-z * z) / 2) * (erfcx(x) - erfcx(y));
  if (y >= 0) return 0.5 * (erfcFast(x) - Math.exp((-z * z) / 2) * erfcx(y));
  return 0.5 * (erfcFast(x) - Math.exp(gap * (z + gap / 2)) * erfcFast(y));
}
