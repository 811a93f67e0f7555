export { candidateSpace, log2, type CandidateSpace, type Choice } from "./format.ts";
export {
  countCanaries,
  drawCanaries,
  madeName,
  plantCanaries,
  spacesOf,
  type Canary,
  type CanaryPlan,
} from "./canaries.ts";
export { makeManifest, parseManifest, type CanaryManifest } from "./manifest.ts";
export { jsonLinesOf, plainText, readTexts, type ReadTextOptions, type TextRecord } from "./records.ts";
export {
  byteVocabulary,
  characterVocabulary,
  decodeTokens,
  encodeText,
  readVocabulary,
  vocabularyOf,
  vocabularyText,
  type Vocabulary,
} from "./vocabulary.ts";
