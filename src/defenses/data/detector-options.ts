import type { OptionSpec } from "../../contract/index.ts";

/** What every detector has: the false-alarm rate for a whole data set. */
export interface Options {
  alpha: number;
}

export const alphaOption: OptionSpec = {
  type: "float",
  default: 0.01,
  min: 0.001,
  max: 0.5,
  doc: "False-alarm rate: probability of flagging anything when the data are clean.",
};
