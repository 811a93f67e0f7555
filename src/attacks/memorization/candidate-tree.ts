import { encodeText, type CandidateSpace } from "../../data/text/index.ts";
import { MarauderError } from "../../errors.ts";
import type { LanguageTarget, Question } from "../../target/index.ts";

/**
 * A beginning of a candidate: its text and what the model pays for it in bits. Where the format leaves no choice the text is
 * not written out, so a beginning always ends before a real choice, or is a whole candidate.
 */
export interface Beginning {
  readonly text: string;
  /** State of the format's rule after it. */
  readonly state: number;
  readonly bits: number;
}

/** The prefix tree of a format under a language model. */
export interface CandidateTree {
  readonly space: CandidateSpace;
  /** The empty text: where a search begins. */
  readonly root: Beginning;
  isWhole(node: Beginning): boolean;
  /** The children of each beginning, one question to the model for each. Costs never fall from a beginning to a child. */
  expand(nodes: readonly Beginning[]): Promise<Beginning[][]>;
}

/** Throws DATA_INVALID where the format or `before` has a character that the model does not know. */
export function candidateTree(model: LanguageTarget, space: CandidateSpace, before: string): CandidateTree {
  const { vocabulary } = model;
  const lead = encodeText(vocabulary, before, "the text before the secret");
  const tokenOf = new Map<string, Int32Array>();
  const tokens = (char: string): Int32Array => {
    const known = tokenOf.get(char) ?? encodeText(vocabulary, char, `the format ${JSON.stringify(space.format)}`);
    tokenOf.set(char, known);
    return known;
  };
  if (lead.length === 0 && space.fixed === 0) {
    throw new MarauderError(
      "OPTION_RANGE",
      `the format ${JSON.stringify(space.format)} begins with its hole, and nothing stands before it; expected words that lead to the secret`,
    );
  }
  // All characters are looked up before the first question.
  for (const char of space.alphabet) tokens(char);

  /** The text of a node with the characters that nothing else can follow it with. */
  const forced = ({ text, state }: Beginning): { text: string; state: number } => {
    let whole = text;
    let now = state;
    for (;;) {
      if (whole.length === space.length) return { text: whole, state: now };
      const [only, ...others] = space.choices(whole.length, now);
      if (others.length > 0) return { text: whole, state: now };
      whole += only!.char;
      now = only!.state;
    }
  };

  return {
    space,
    root: { text: "", state: space.start, bits: 0 },
    isWhole: ({ text }) => text.length === space.length,
    async expand(nodes) {
      const grown = nodes.map(forced);
      const questions = grown.map(({ text }, i): Question => {
        const own = Array.from(text, tokens);
        const flat = Int32Array.from([...lead, ...own.flatMap((t) => [...t])]);
        const paid = lead.length + own.slice(0, nodes[i]!.text.length).reduce((n, t) => n + t.length, 0);
        return { tokens: flat, from: Math.max(1, paid), next: text.length < space.length };
      });
      const answers = await model.ask(questions);
      return answers.map(({ bits, next }, i) => {
        const { text, state } = grown[i]!;
        const paid = nodes[i]!.bits + bits.reduce((a, b) => a + b, 0);
        if (text.length === space.length) return [{ text, state, bits: paid }];
        return space.choices(text.length, state).map((c) => ({
          text: text + c.char,
          state: c.state,
          // What a tree branches over are digits, which are one token each in characters and in bytes.
          bits: paid - next[tokens(c.char)[0]!]!,
        }));
      });
    },
  };
}
