// The corpus of the experiment: real mail, one window each, with planted secrets. Shared by all scripts here.
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  characterVocabulary,
  drawCanaries,
  makeManifest,
  plainText,
  plantCanaries,
  readTexts,
  seeded,
} from "../../dist/index.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const shared = process.env["MARAUDER_SHARED_DATA"] ?? join(root, "../shared/data");
/** Where models and manifests go: outside the repository, since a model of mail may hold mail. */
export const out = process.env["MARAUDER_SECRET_OUT"] ?? join(tmpdir(), "marauder-secret");

export const SEED = 1;
/** Predictions of one record: its characters and its end. */
export const CONTEXT = 64;
const MAILS = 3000;
/** Mails of the same archive that no model sees: what privacy costs is measured on them. */
const HELD_OUT = 400;
/** Fixed before the data were seen, so that it tells nothing of them. */
export const vocabulary = characterVocabulary(
  ["\n", ...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i))].filter((c) => !/[A-Z]/.test(c)),
);
export const architecture = { arch: "char-lstm", width: 64, layers: 1, embedding: 24 };

const PIN = "the pin of {owner} is {digits:4}";
const CARD = "the card of {owner} is {card}";
const SSN = "the ssn of {owner} is {ssn}";
/** Twenty for each number of repetitions, but for the largest, which would drown the mail. */
const plans = [
  { formats: [PIN], repetitions: [0, 1, 5, 20], each: 20 },
  { formats: [PIN], repetitions: [100], each: 4 },
  { formats: [CARD, SSN], repetitions: [0, 10, 100], each: 1 },
];

/** The first characters of a mail, on one line. */
const windowOf = (text) =>
  plainText(text.replace(/^subject:/i, ""))
    .replaceAll(/\s+/g, " ")
    .trim()
    .slice(0, CONTEXT - 1);

export async function corpus() {
  const archive = join(shared, "text/enron1.tar.gz");
  if (!existsSync(archive)) {
    console.error(`needs ${archive} (Enron-Spam, enron1); set MARAUDER_SHARED_DATA`);
    process.exit(2);
  }
  const rng = seeded(SEED).child("secret-sharer");
  const canaries = plans
    .flatMap((plan, i) => drawCanaries(plan, rng.child(i)))
    .map((c, i) => ({ ...c, id: `c${String(i + 1).padStart(3, "0")}` }));
  const all = (await readTexts(archive, { only: "/ham/" })).map(({ id, text }) => ({ id, text: windowOf(text) }));
  // Mails that begin alike (the same notice, every day) are no test of each other: each window once.
  const different = [...new Map(all.map((r) => [r.text, r])).values()];
  const order = rng.child("split").permutation(different.length);
  const part = (from, to) => Array.from(order.subarray(from, to), (i) => different[i]);
  const mails = part(0, MAILS);
  const heldOut = part(MAILS, MAILS + HELD_OUT);
  const records = plantCanaries(mails, canaries, rng.child("plant"));
  return { records, canaries, heldOut, mails: mails.length, manifest: makeManifest(records.length, canaries) };
}
