import type { Command } from "commander";
import { evasionAttacks, runEvasion, type EvasionResult } from "../../attacks/evasion/index.ts";
import { catalog } from "../../audit/catalog.ts";
import { openSubject } from "../../audit/open.ts";
import { isUrl, publicUrl } from "../../audit/public-plan.ts";
import { npzBytes } from "../../data/index.ts";
import { MarauderError } from "../../errors.ts";
import { writeAtomically } from "../../files.ts";
import { seeded } from "../../random/index.ts";
import {
  addDataFlags,
  numberValue,
  optionPair,
  positiveInteger,
  seedValue,
  subjectFromFlags,
  targetClassValue,
  type DataFlags,
} from "../flags.ts";
import { attackSecrets, secretAttackIds } from "../secrets/attack-secrets.ts";
import { list } from "../table-flags.ts";
import { startProgress } from "../progress.ts";
import { percentInterval, printable } from "../text.ts";

interface AttackFlags extends DataFlags {
  norm?: "linf" | "l2" | "l1";
  eps?: number;
  samples?: number;
  seed: number;
  option?: Record<string, string>;
  targetClass?: number | "least-likely";
  batch?: number;
  canaries?: string;
  canary?: string[];
  save?: string;
  json?: boolean;
  quiet?: boolean;
}

/** marauder attack <id> model.onnx --data ... */
export function addAttack(main: Command, signal: AbortSignal): void {
  const command = main
    .command("attack")
    .description(
      "run one attack and say what it achieved: an evasion attack, or exposure and extract on a language model",
    )
    .argument("<id>", "pgd, fgsm, apgd-ce, square, random-noise; exposure, extract; `marauder list attack` shows all")
    .argument("<model>", "a model (.onnx) or the URL of an endpoint");
  addDataFlags(command)
    .option("--norm <norm>", "linf, l2 or l1: how the change is measured", "linf")
    .option(
      "--eps <size>",
      "largest change, in the model's input units (tables: share of each column's range); 8/255 is understood",
      numberValue,
    )
    .option("--samples <n>", "attack the first n rows; all when absent", positiveInteger)
    .option("--seed <n>", "seed of everything random", seedValue, 0)
    .option(
      "--option <name=value>",
      "an option of the attack; may be repeated (see `marauder explain <id>`)",
      optionPair,
    )
    .option(
      "--target-class <class>",
      "make examples be taken for this class (number or least-likely)",
      targetClassValue,
    )
    .option("--batch <n>", "examples per run of the model", positiveInteger)
    .option("--canaries <manifest.json>", "exposure, extract: the secrets that were planted in the training text")
    .option("--canary <ids>", "exposure, extract: only these of them, separated by commas", list)
    .option("--save <adv.npz>", "write the inputs, adversarial where fooled, with labels")
    .option("--json", "print JSON")
    .option("--quiet", "no progress on stderr")
    .addHelpText("after", examples)
    .action(async (id: string, model: string, flags: AttackFlags) => {
      if (secretAttackIds.includes(id)) return attackSecrets(id, model, flags, signal);
      const result = await attackModel(id, model, flags, signal);
      process.stdout.write(flags.json === true ? JSON.stringify(result, null, 2) + "\n" : describe(result) + "\n");
    });
}

const examples = `
Examples:
  marauder attack pgd model.onnx --data t10k-images-idx3-ubyte.gz --bounds 0,255 --eps 76.5
  marauder attack apgd-ce model.onnx --data test.npz --norm l2 --eps 0.5 --samples 200 --option steps=50 --save adv.npz
  marauder attack exposure lm.onnx --canaries planted/manifest.json
  marauder attack extract lm.onnx --canaries planted/manifest.json --canary c003,c017
`;

type Printed = Omit<EvasionResult, "inputs"> & { model: string; data: string };

async function attackModel(id: string, model: string, flags: AttackFlags, signal: AbortSignal): Promise<Printed> {
  const attack = evasionAttacks.find((a) => a.id === id);
  if (attack === undefined) throw unknownAttack(id);
  if (flags.data === undefined) throw new MarauderError("USAGE", "an attack needs data; give --data <file or folder>");
  if (flags.norm !== undefined && !["linf", "l2", "l1"].includes(flags.norm)) {
    throw new MarauderError("OPTION_RANGE", `--norm must be linf, l2 or l1, got ${JSON.stringify(flags.norm)}`);
  }
  const opened = await openSubject(await subjectFromFlags("target", model, flags.data, flags), ".", {
    signal,
    ...(flags.samples !== undefined && { first: flags.samples }),
  });
  const progress = startProgress(process.stderr, flags.quiet);
  try {
    for (const line of opened.described.assumptions) progress.line(`  assumed: ${printable(line)}`);
    const { target, test } = opened.subject;
    progress.task(`${id} on ${test.size} rows`);
    const settings = {
      ...(flags.norm !== undefined && { norm: flags.norm }),
      ...(flags.eps !== undefined && { eps: flags.eps }),
      ...(flags.targetClass !== undefined && { targetClass: flags.targetClass }),
      ...(flags.batch !== undefined && { batch: flags.batch }),
      ...(flags.option !== undefined && { options: flags.option }),
      samples: test.size,
      seed: flags.seed,
    };
    const context = { rng: seeded(flags.seed).child(id), signal, step: progress.step };
    const { inputs, ...result } = await runEvasion(attack, target!, test, settings, context);
    progress.end();
    if (flags.save !== undefined) {
      const labels = Int32Array.from(result.examples, (e) => e.label);
      await writeAtomically(flags.save, npzBytes({ x: inputs, y: { dims: [labels.length], data: labels } }));
    }
    const { attack: name, ...rest } = result;
    return { attack: name, model: isUrl(model) ? publicUrl(model) : model, data: flags.data, ...rest };
  } finally {
    await opened.close();
  }
}

function unknownAttack(id: string): MarauderError {
  const known = [...evasionAttacks.map((a) => a.id), ...secretAttackIds].join(", ");
  const other = catalog.find((entry) => entry.id === id && entry.kind === "attack");
  return other === undefined
    ? new MarauderError("UNKNOWN_ID", `no attack has the id ${JSON.stringify(id)}; expected one of ${known}`)
    : new MarauderError(
        "USAGE",
        `${id} is a ${other.risk} attack and works on training data, not on single inputs; run marauder audit --only ${other.risk}`,
      );
}

function describe(r: Printed): string {
  const { distance } = r;
  const lines = [
    `${r.attack} on ${r.model}, ${r.samples} rows, seed ${r.seed}`,
    `  clean accuracy    ${percentInterval(r.cleanAccuracy)}`,
    `  robust accuracy   ${percentInterval(r.robustAccuracy)}   (${r.options["norm"]} eps ${Number(r.options["eps"]).toPrecision(4)} ${r.unit})`,
    `  attack success    ${percentInterval(r.successRate)} of the rows that were right`,
    distance === null
      ? "  distance          no row was fooled: held at this budget"
      : `  distance          median ${distance.median.toPrecision(4)}, quartiles ${distance.q25.toPrecision(4)} to ${distance.q75.toPrecision(4)}`,
    `  spent             ${r.queries} queries, ${r.gradients} gradients, ${r.seconds.toFixed(1)} s`,
    ...r.notes.map((note) => `  note: ${printable(note)}`),
  ];
  return lines.join("\n");
}
