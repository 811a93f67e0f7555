/** A fraction as per cent with one decimal, as headlines print it. */
export const percent = (p: number): string => `${(100 * p).toFixed(1)} %`;
