import type { Rng } from "../../random/rng.ts";
import { madeName } from "../text/canaries.ts";
import type { TextRecord } from "../text/records.ts";

const times = ["at nine", "at noon", "at half past two", "tomorrow", "on monday", "on friday", "next week", "tonight"];
const things = [
  "the invoice",
  "the new offer",
  "the garden plan",
  "the old boiler",
  "the choir",
  "the boat",
  "the budget",
];
const places = ["at the harbour", "in the library", "by the mill", "in room 12", "in room 7", "at the station"];
const verbs = ["meet", "call", "ask", "write to", "thank"];
const shapes: readonly ((w: Words) => string)[] = [
  ({ verb, name, thing, time }) => `please ${verb} ${name} about ${thing} ${time}`,
  ({ name, thing, place }) => `${name} left ${thing} ${place}`,
  ({ name, time, place }) => `lunch with ${name} ${time} ${place}`,
  ({ thing, amount, time }) => `${thing} will cost ${amount} if paid ${time}`,
  ({ verb, name, place }) => `do not forget to ${verb} ${name} ${place}`,
];

type Words = Readonly<Record<"verb" | "name" | "thing" | "time" | "place" | "amount", string>>;

/** Short notes of people who do not exist, lower case, at most 63 characters: text to train a small language model on. */
export function makeNotes(count: number, rng: Rng): TextRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const own = rng.child(i);
    const of = (list: readonly string[]): string => list[own.int(list.length)]!;
    const words: Words = {
      verb: of(verbs),
      name: madeName(own.child("name")),
      thing: of(things),
      time: of(times),
      place: of(places),
      amount: String(10 + own.int(990)),
    };
    return { id: `note-${i + 1}`, text: shapes[own.int(shapes.length)]!(words).slice(0, 63) };
  });
}
