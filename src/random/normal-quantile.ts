/**
 * The quantile function of the standard normal distribution, bit for bit the same on every JavaScript engine: it uses
 * additions, multiplications, divisions and square roots, which IEEE 754 defines exactly, and a logarithm of its own,
 * since `Math.log` may differ by an ulp from engine to engine.
 *
 * Algorithm AS 241, PPND16 (Wichura 1988, Applied Statistics 37): relative accuracy about 1e-16 for p in (0, 1).
 * Gives -Infinity at 0, Infinity at 1, NaN outside.
 */
export function normalQuantile(p: number): number {
  if (!(p >= 0 && p <= 1)) return NaN;
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (q * poly(CENTRE_TOP, r)) / poly(CENTRE_BOTTOM, r);
  }
  const tail = q < 0 ? p : 1 - p;
  const x = tailQuantile(exactLog(tail));
  return q < 0 ? -x : x;
}

/** The x > 0 whose upper tail probability has the logarithm `logTail`; good far beyond the smallest double. */
function tailQuantile(logTail: number): number {
  const r = Math.sqrt(-logTail);
  if (r === Infinity) return Infinity;
  return r <= 5 ? poly(MID_TOP, r - 1.6) / poly(MID_BOTTOM, r - 1.6) : poly(FAR_TOP, r - 5) / poly(FAR_BOTTOM, r - 5);
}

const bits = new DataView(new ArrayBuffer(8));
const LN2_HIGH = 0.6931471803691238; // the upper 32 bits of ln 2, so that multiples by an exponent are exact
const LN2_LOW = 1.9082149292705877e-10;

/** Natural logarithm from exact operations alone, within 1 ulp or so; -Infinity at 0, NaN below. */
export function exactLog(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return Infinity;
  let exponent = 0;
  if (x < 2 ** -1022) {
    x *= 2 ** 54;
    exponent = -54;
  }
  bits.setFloat64(0, x);
  exponent += ((bits.getUint16(0) >>> 4) & 0x7ff) - 1023;
  bits.setUint16(0, (bits.getUint16(0) & 0x000f) | 0x3ff0);
  let m = bits.getFloat64(0);
  if (m > Math.SQRT2) {
    m /= 2;
    exponent++;
  }
  // log m = 2 atanh(s) = 2 s (1 + s²/3 + s⁴/5 + …) with s = (m - 1) / (m + 1), |s| < 0.1716: thirteen terms reach 1e-19
  const s = (m - 1) / (m + 1);
  const z = s * s;
  let series = 0;
  for (let k = 27; k >= 3; k -= 2) series = series * z + 1 / k;
  return exponent * LN2_HIGH + (2 * s + (2 * s * z * series + exponent * LN2_LOW));
}

function poly(coefficients: readonly number[], x: number): number {
  let sum = 0;
  for (let i = coefficients.length - 1; i >= 0; i--) sum = sum * x + coefficients[i]!;
  return sum;
}

const CENTRE_TOP = [
  3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987, 67265.7709270087,
  33430.57558358813, 2509.0809287301227,
];
const CENTRE_BOTTOM = [
  1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271, 28729.085735721943,
  5226.495278852854,
];
const MID_TOP = [
  1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684, 0.2417807251774506,
  0.022723844989269184, 0.0007745450142783414,
];
const MID_BOTTOM = [
  1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
  0.0005475938084995345, 1.0507500716444169e-9,
];
const FAR_TOP = [
  6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
  0.0012426609473880784, 0.000027115555687434876, 2.0103343992922881e-7,
];
const FAR_BOTTOM = [
  1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133, 0.000018463183175100548,
  1.421511758316446e-7, 2.0442631033899397e-15,
];
