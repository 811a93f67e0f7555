import type { Adjacency } from "./events.ts";
import type { PrivacyStatement } from "./statement.ts";

const adjacencyWords: Readonly<Record<Adjacency, (unit: string) => string>> = {
  "add-or-remove": (unit) => `with or without any one ${unit}`,
  "zero-out": (unit) => `with any one ${unit} in it or blanked (the number of records is public)`,
  "replace-one": (unit) => `with any one ${unit} replaced by another`,
};

const tuningWords = ({ tuning }: PrivacyStatement): string => {
  switch (tuning.kind) {
    case "fixed":
      return "settings were fixed before the data were looked at";
    case "uncounted":
      return "NOT COUNTED: settings were chosen by results on the private data";
    case "undeclared":
      return "NOT DECLARED";
    case "repeat-and-select": {
      const { count } = tuning;
      const shape = count.distribution === "poisson" ? "Poisson" : `negative binomial of shape ${count.shape}`;
      return `counted: the best of a random number of runs (${shape}, ${count.mean} on average)`;
    }
  }
};

const fromWords = {
  public: "from public data",
  counted: "from the private data, counted",
  uncounted: "from the private data, NOT COUNTED",
} as const;

/** The statement in words, a line each, not wrapped. */
export function statementText(s: PrivacyStatement): string {
  const epsilon = s.epsilon === null ? "" : Number(s.epsilon.toPrecision(6));
  const delta = Number(s.delta.toPrecision(4));
  const head =
    s.verdict === "not-private"
      ? "NOT PRIVATE. No guarantee of differential privacy can be given for this run."
      : `${s.verdict === "private" ? "Private" : "The training alone is private"}: (${epsilon}, ${delta})-differential privacy. ` +
        `Whoever sees ${s.released} learns almost the same from data ${adjacencyWords[s.adjacency](s.unit)}: the probability of anything ` +
        `they conclude changes by a factor of at most ${factor(s.epsilon!)}, but for a probability of ${delta}.`;
  const lines = [head, ...s.reasons.map((reason) => `  ! ${reason}`), ""];
  const add = (name: string, value: string): void => void lines.push(`${(name && `${name}:`).padEnd(16)}${value}`);
  add("unit", `one ${s.unit} of ${s.records} records`);
  add("adjacency", `${s.adjacency}: data ${adjacencyWords[s.adjacency](s.unit)}`);
  s.mechanisms.forEach((words, i) => add(i === 0 ? "mechanism" : "", words));
  add("noise", s.noise === "system" ? "from the operating system's secure generator" : s.noise);
  if (s.accountant !== null) add("accountant", `${s.accountant}; conversion ${s.conversion}`);
  add("released", s.released);
  add("tuning", tuningWords(s));
  if (s.preprocessing.length === 0) add("preprocessing", "none was declared");
  s.preprocessing.forEach((step, i) => add(i === 0 ? "preprocessing" : "", `${step.what}: ${fromWords[step.from]}`));
  lines.push("", "Not covered:", ...s.notCovered.map((sentence) => `  - ${sentence}`));
  return lines.join("\n");
}

function factor(epsilon: number): string {
  const value = Math.exp(epsilon);
  return value < 1e6 ? String(Number(value.toPrecision(3))) : `e^${Number(epsilon.toPrecision(4))}`;
}
