import { MarauderError } from "../../errors.ts";

/** A rule over the digits of a hole, as a machine with few states: what has been read so far is one number. */
export interface Rule {
  readonly start: number;
  /** The state after digit number `at` (from 0); below 0 where no number of that kind begins so. */
  step(state: number, digit: string, at: number): number;
  accepts(state: number): boolean;
}

export interface Hole {
  /** "#" is a free digit, a digit is itself, everything else separates. */
  readonly pattern: string;
  readonly rule: Rule;
}

const anything: Rule = { start: 0, step: () => 0, accepts: () => true };

/** Luhn's check of 16 digits (ISO/IEC 7812-1, annex B): every other digit from the left counts double. */
const luhn: Rule = {
  start: 0,
  step(sum, digit, at) {
    const d = Number(digit) * (at % 2 === 0 ? 2 : 1);
    return (sum + (d > 9 ? d - 9 : d)) % 10;
  },
  accepts: (sum) => sum === 0,
};

/** Social security numbers: no area 000, 666 or from 900, no group 00, no serial 0000. The state is the part so far. */
const socialSecurity: Rule = {
  start: 0,
  step(part, digit, at) {
    const value = 10 * part + Number(digit);
    if (at === 2) return value === 0 || value === 666 || value >= 900 ? -1 : 0;
    if (at === 4) return value === 0 ? -1 : 0;
    return value;
  },
  accepts: (serial) => serial > 0,
};

/** The hole of a name: digits:N (1 to 30), card, ssn. Throws OPTION_RANGE for any other. */
export function holeOf(name: string, format: string): Hole {
  if (name === "card") return { pattern: "4### #### #### ####", rule: luhn };
  if (name === "ssn") return { pattern: "###-##-####", rule: socialSecurity };
  const digits = /^digits:(\d{1,2})$/.exec(name)?.[1];
  if (digits !== undefined && Number(digits) >= 1 && Number(digits) <= 30) {
    return { pattern: "#".repeat(Number(digits)), rule: anything };
  }
  throw new MarauderError(
    "OPTION_RANGE",
    `the format ${JSON.stringify(format)} has the hole {${name}}, which is not known; expected {digits:1} to {digits:30}, {card} or {ssn}`,
  );
}
