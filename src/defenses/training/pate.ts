import type { RunContext } from "../../context.ts";
import type { Dataset } from "../../data/dataset.ts";
import { take, withLabels } from "../../data/subset.ts";
import { MarauderError, throwIfCancelled } from "../../errors.ts";
import { composed, mechanisms, pateDataCurve, repeated, type DpEvent, type PateQuestion } from "../../privacy/index.ts";
import type { Rng } from "../../random/rng.ts";
import type { TrainedModel, Trainer, TrainOptions } from "../../train/trainer.ts";
import type { Defense } from "../defense.ts";

export interface PateSubject {
  /** Private; each row is in one teacher's data. */
  readonly data: Dataset;
  /** Rows whose inputs are public; their labels, if any, are not looked at. Asked in their order. */
  readonly publicData: Dataset;
  readonly trainer: Trainer;
  /** How teachers and student are trained; nothing of it may have been chosen by results on the private data. */
  readonly train: Partial<TrainOptions>;
  readonly source?: mechanisms.NoiseSource;
  /**
   * Counts an event before it happens, and throws BUDGET_SPENT where the budget does not allow it: then no more is asked. A
   * filter's `spend` or a ledger's `reserve`; without it every row is asked.
   */
  readonly charge?: (event: DpEvent) => void;
  /** Sees each teacher as an ONNX model. Teachers are private. */
  readonly teacher?: (index: number, model: TrainedModel["model"]) => void | Promise<void>;
}

export interface PateOptions {
  readonly teachers: number;
  readonly threshold: number;
  readonly thresholdSigma: number;
  readonly sigma: number;
  readonly questions: number;
}

export interface PateResult {
  readonly student: TrainedModel;
  /** For each row that was asked: the label, or null where the teachers did not seem sure. This is what was released. */
  readonly answers: readonly (number | null)[];
  /** What the questions cost, whatever the data are. */
  readonly event: DpEvent;
  readonly noise: string;
  /** Votes and answers: PRIVATE, for `releasePateCost` and the keeper of the data only. */
  readonly questions: readonly PateQuestion[];
  /** Rényi cost on these votes: PRIVATE as well. */
  readonly dataCurve: ReturnType<typeof pateDataCurve>;
  /** The budget ended before the public rows did. */
  readonly stopped: boolean;
}

export const pate: Defense<PateOptions, PateSubject, PateResult> = {
  id: "pate",
  kind: "training",
  risks: ["memorization"],
  title: "Private aggregation of teacher ensembles (PATE)",
  summary:
    "Trains many teachers on disjoint parts of the private data and lets them vote, with noise, on public inputs; a student learns from the answers alone, so that it protects every private row whatever is done with it.",
  paper: {
    authors: "Papernot, Song, Mironov, Raghunathan, Talwar, Erlingsson",
    year: 2018,
    title: "Scalable private learning with PATE",
    url: "https://arxiv.org/abs/1802.08908",
    section: "4.1 (confident GNMax)",
  },
  differences: [
    "rows go to teachers by a coin of their own, not in blocks of one size, so that a row more or less changes one teacher only",
    "noise is discrete Gaussian on a fine grid, exact, and accounted as such",
    "the student learns from answered rows only; the paper's also learns from the unanswered ones without labels (virtual adversarial training)",
    "defaults are the paper's shares for MNIST (threshold 0.8, noise 0.6 and 0.16 of the teachers) at 100 teachers instead of 250",
  ],
  needs: ["train"],
  options: {
    teachers: { type: "int", default: 100, min: 2, max: 10_000, doc: "Number of teachers." },
    threshold: {
      type: "float",
      default: 80,
      min: -1e6,
      max: 1e6,
      doc: "Votes that the most voted class needs, with noise, for an answer.",
    },
    thresholdSigma: {
      type: "float",
      default: 60,
      min: 1e-3,
      max: 1e6,
      doc: "Standard deviation of the noise on the largest count, in votes.",
    },
    sigma: {
      type: "float",
      default: 16,
      min: 1e-3,
      max: 1e6,
      doc: "Standard deviation of the noise on each count, in votes.",
    },
    questions: { type: "int", default: 1000, min: 1, max: 1e7, doc: "Most public rows that are asked." },
  },
  async apply(context, subject, options) {
    const { data, publicData } = subject;
    const asked = take(publicData, firstRows(publicData.size, options.questions));
    checkShapes(data, asked);
    const votes = await teacherVotes(context, subject, asked, options.teachers);
    const vote = mechanisms.confidentVote({
      ...options,
      classes: data.classNames.length,
      ...(subject.source !== undefined && { source: subject.source }),
    });
    const questions: PateQuestion[] = [];
    const answers: (number | null)[] = [];
    const charged = (event: DpEvent): boolean => {
      try {
        subject.charge?.(event);
        return true;
      } catch (error) {
        if (error instanceof MarauderError && error.code === "BUDGET_SPENT") return false;
        throw error;
      }
    };
    let asks = 0;
    for (const counts of votes) {
      throwIfCancelled(context.signal);
      if (!charged(vote.asking)) break;
      asks++;
      const sure = vote.sure(counts);
      // Where the budget ends between the two, the row goes unanswered: that the teachers were sure has been paid for.
      if (sure && !charged(vote.answering)) break;
      const answer = sure ? vote.answer(counts) : null;
      answers.push(answer);
      questions.push({ votes: counts, answered: sure });
    }
    const stopped = answers.length < votes.length;
    const answered = answers.flatMap((answer, i) => (answer === null ? [] : [{ i, answer }]));
    const event = composed([repeated(vote.asking, asks), repeated(vote.answering, answered.length)]);
    const student = await trainStudent(context, subject, asked, answered);
    return {
      student,
      answers,
      event,
      noise: vote.noise,
      questions,
      dataCurve: pateDataCurve(questions, options, vote.grid),
      stopped,
    };
  },
};

const firstRows = (size: number, most: number): number[] => Array.from({ length: Math.min(size, most) }, (_, i) => i);

/** The teacher of each row, by a coin that depends on the row's id alone. */
export function partition(data: Dataset, teachers: number, rng: Rng): readonly (readonly number[])[] {
  const parts: number[][] = Array.from({ length: teachers }, () => []);
  data.rowIds.forEach((id, row) => parts[rng.child("teacher").child(id).int(teachers)]!.push(row));
  return parts;
}

/** Votes of all teachers on each row; a teacher at a time is held. */
async function teacherVotes(
  context: RunContext,
  { data, trainer, train, teacher }: PateSubject,
  asked: Dataset,
  teachers: number,
): Promise<number[][]> {
  const classes = data.classNames.length;
  const votes = Array.from({ length: asked.size }, () => Array.from({ length: classes }, () => 0));
  const quiet: RunContext = { ...context, step: () => undefined };
  for (const [t, rows] of partition(data, teachers, context.rng).entries()) {
    throwIfCancelled(context.signal);
    // A teacher without rows votes for the first class: a vote that depends on its own data alone, like any other.
    const labels = rows.length === 0 ? new Int32Array(asked.size) : await taught(rows, t);
    labels.forEach((label, i) => votes[i]![label]!++);
    context.step(t + 1, teachers + 1, "teachers");
  }
  return votes;

  async function taught(rows: readonly number[], t: number): Promise<Int32Array> {
    const options = { ...train, emptyClasses: "allow" as const };
    const trained = await trainer(take(data, rows), options, { ...quiet, rng: context.rng.child("pate").child(t) });
    try {
      await teacher?.(t, trained.model);
      return labelsOf(await trained.logits(asked), classes);
    } finally {
      await trained.close();
    }
  }
}

function labelsOf(logits: Float32Array, classes: number): Int32Array {
  return Int32Array.from({ length: logits.length / classes }, (_, i) => {
    let best = 0;
    for (let k = 1; k < classes; k++) if (logits[i * classes + k]! > logits[i * classes + best]!) best = k;
    return best;
  });
}

async function trainStudent(
  context: RunContext,
  { data, trainer, train }: PateSubject,
  asked: Dataset,
  answered: readonly { i: number; answer: number }[],
): Promise<TrainedModel> {
  if (answered.length < 2)
    throw new MarauderError(
      "NOT_ENOUGH_DATA",
      `the teachers answered ${answered.length} of ${asked.size} questions, and a student needs more; ` +
        "lower the threshold or its noise, train better or fewer teachers, or allow a larger epsilon",
    );
  const rows = take(
    asked,
    answered.map(({ i }) => i),
  );
  const labels = Int32Array.from(answered, ({ answer }) => answer);
  const taught = withLabels({ ...rows, table: null }, labels, data.classNames);
  const options = { ...train, emptyClasses: "allow" as const };
  return trainer(taught, options, { ...context, rng: context.rng.child("student") });
}

function checkShapes(data: Dataset, asked: Dataset): void {
  const shape = (d: Dataset): string => d.features.dims.slice(1).join(", ");
  if (data.labels === null)
    throw new MarauderError("DATA_LABELS", `${data.name} has no labels; teachers learn from labelled rows`);
  if (shape(data) !== shape(asked))
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `the public rows have shape [${shape(asked)}], the private ones [${shape(data)}]; teachers must be able to read them`,
    );
}
