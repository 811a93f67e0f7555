import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seeded } from "../../src/random/index.ts";
import { assertBuilt, marauder } from "../support/cli.ts";
import { writeTinyFiles } from "../support/tiny-files.ts";

const folder = mkdtempSync(join(tmpdir(), "marauder-train-"));
const at = (name: string): string => join(folder, name);
const run = (line: string, more = {}) => marauder(line.split(" "), { cwd: folder, ...more });

beforeAll(() => {
  assertBuilt();
  writeTinyFiles(folder);
  const rng = seeded(1);
  const words = Array.from({ length: 900 }, () => ["one", "two", "three", "four"][rng.int(4)]!);
  writeFileSync(at("words.txt"), words.join(" "));
  writeFileSync(at("lines.txt"), words.slice(0, 200).join("\n"));
  writeFileSync(at("letters.txt"), "abc");
  writeFileSync(at("bytes.txt"), Uint8Array.of(0x61, 0xff, 0x62));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const images = "train --data train.npz --test test.npz --quiet --json --threads 1";
const text = "train --data words.txt --quiet --json --threads 1";
const small = "--width 24 --embedding 8 --context-length 16 --batch 16 --learning-rate 0.02";

describe("marauder train", () => {
  it("builds a resnet, and trains the file further with the options of the steps", async () => {
    const first = await run(
      `${images} --arch resnet --channels 8,16 --blocks 1 --epochs 20 --batch 16 --shift 0 --out r.onnx`,
    );
    expect(first.stderr).toBe("");
    expect(JSON.parse(first.stdout)).toMatchObject({ arch: "resnet", classes: 3 });
    const more =
      "--epochs 2 --optimizer sgd --nesterov --momentum 0.8 --weight-decay 1e-4 --schedule one-cycle --clip 1";
    const line = `${images} --model r.onnx ${more} --ema 0.9 --label-smoothing 0.1 --flip --loss cross-entropy --out s.onnx`;
    const second = JSON.parse((await run(line)).stdout);
    expect(second).toMatchObject({ from: "r.onnx", classes: 3 });
    expect(second.accuracy.value).toBeGreaterThan(0.9);
    expect((await run("attack pgd s.onnx --data test.npz --bounds 0,1 --quiet")).code).toBe(0);
  });

  it("trains a user's file of another producer", async () => {
    const result = await run(`${images} --model model.onnx --optimizer adam --out user.onnx`);
    expect(JSON.parse(result.stdout).accuracy.value).toBeGreaterThan(0.9);
  });

  it.each(["char-lstm", "gpt --heads 2 --layers 2 --tied"])("text: %s, windows", async (arch) => {
    const result = JSON.parse((await run(`${text} --arch ${arch} ${small} --epochs 12 --out t.onnx`)).stdout);
    expect(result).toMatchObject({ vocabulary: 10, context: 16 });
    // Log 4 nats for each word, of which there are 3.9 letters and a blank on average.
    expect(result.nats.value).toBeLessThan(0.5);
    expect(result.nats.value).toBeGreaterThan(Math.log(4) / 5.1);
  });

  it("text: each line an example, bytes, and the same file on every run", async () => {
    const line = `train --data lines.txt --lines --vocabulary bytes --arch char-lstm --width 24 --epochs 3 --quiet --json --threads 1`;
    const result = JSON.parse((await run(`${line} --out a.onnx`)).stdout);
    expect(result).toMatchObject({ vocabulary: 256, context: 6, examples: 180 });
    await run(`${line} --out b.onnx`);
    expect(readFileSync(at("a.onnx"))).toEqual(readFileSync(at("b.onnx")));
    const gpt = await run(`${line.replace("char-lstm", "gpt").replace(" --vocabulary bytes", "")} --out g.onnx`);
    expect(JSON.parse(gpt.stdout)).toMatchObject({ context: 6, examples: 180 });
    const further = "train --data words.txt --model g.onnx --quiet --json --threads 1 --out h.onnx";
    // The lines have no blanks, which stand between the words of the text.
    expect((await run(further)).stderr).toMatch(/character " " .* is not in the vocabulary of 10/);
    const lines = await run(`${further.replace("words", "lines")} --lines --epochs 20`);
    expect(JSON.parse(lines.stdout).nats.value).toBeLessThan(JSON.parse(gpt.stdout).nats.value);
  });

  it.each<[string, number, RegExp]>([
    ["train --data train.npz --out m.onnx", 2, /--arch <arch> to build .* or --model/],
    ["train --data train.npz --arch mlp --model model.onnx --out m.onnx", 2, /not both/],
    ["train --data train.npz --arch mlp --width 3 --out m.onnx", 2, /--width is for char-lstm and gpt/],
    ["train --data words.txt --arch gpt --label-smoothing 0.1 --out m.onnx", 2, /--label-smoothing is for classifiers/],
    ["train --data train.npz --arch mlp --batch-norm affine --out m.onnx", 2, /--batch-norm is for --model/],
    [
      "train --data words.txt --arch gpt --width 10 --heads 4 --out m.onnx",
      2,
      /heads must be a divisor of the width 10/,
    ],
    [
      "train --data words.txt --arch gpt --vocabulary letters.txt --out m.onnx",
      3,
      /character "o" .* of words.txt is not in the vocabulary of 3/,
    ],
    [
      "train --data letters.txt --arch gpt --out m.onnx",
      3,
      /letters.txt has 2 tokens; a context of 64 needs at least 65/,
    ],
    ["train --data bytes.txt --arch gpt --out m.onnx", 3, /bytes.txt is no UTF-8 text/],
    ["train --data none.txt --arch gpt --out m.onnx", 3, /cannot read the text none.txt: it does not exist/],
    [
      "train --data train.npz --arch mlp --channels 1 --shift 2 --out m.onnx",
      2,
      /augment must be null for inputs that are no images/,
    ],
    ["train --data nan.npz --arch mlp --hold-out 0.4 --out m.onnx", 3, /NaN/],
    ["train --data labels-negative.npz --arch mlp --out m.onnx", 3, /label -1/],
    ["train --data train.npz --model text.onnx --out m.onnx", 3, /not an ONNX file/],
  ])("refuses %s", async (line, code, message) => {
    const result = await run(line);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toMatch(/ {4}at /);
    expect(result.code).toBe(code);
    expect(readdirSync(folder)).not.toContain("m.onnx");
  });
});

describe("a training that is stopped", () => {
  const long = `train --data words.txt --arch char-lstm ${small} --threads 1 --epochs 20 --checkpoint kept`;

  it("by Ctrl-C, keeps its checkpoint, and the same command ends with the weights of one left in peace", async () => {
    const peace = long.replace("--checkpoint kept", "--quiet --out peace.onnx");
    expect((await run(peace)).code).toBe(0);
    const stopped = await run(`${long} --out stopped.onnx`, {
      onSpawn: (child: { kill(signal: string): void }) => {
        const wait = setInterval(() => {
          const there = readdirSync(folder).includes("kept") && readdirSync(at("kept")).length > 0;
          if (there) {
            clearInterval(wait);
            setTimeout(() => child.kill("SIGINT"), 700);
          }
        }, 20);
      },
    });
    expect(stopped.stderr).toMatch(/stopped; finished work is kept, the same command goes on/);
    expect(stopped.code).toBe(130);
    expect(readdirSync(folder)).not.toContain("stopped.onnx");
    expect(readdirSync(at("kept"))).toEqual(["training.checkpoint"]);
    expect((await run(`${long} --quiet --out stopped.onnx`)).code).toBe(0);
    expect(readFileSync(at("stopped.onnx"))).toEqual(readFileSync(at("peace.onnx")));
  });

  it("by a second run into its folder, does not stop; the second one does", async () => {
    let second: ReturnType<typeof run> | null = null;
    const first = await run(`${long} --epochs 21 --out first.onnx`.replace("kept", "shared"), {
      onSpawn: () => {
        const wait = setInterval(() => {
          if (!readdirSync(folder).includes("shared") || !readdirSync(at("shared")).some((n) => n.endsWith(".lock")))
            return;
          clearInterval(wait);
          second = run(`${long} --epochs 21 --out second.onnx`.replace("kept", "shared"));
        }, 20);
      },
    });
    expect(first.code).toBe(0);
    const { code, stderr } = await second!;
    expect(stderr).toMatch(
      /another run writes checkpoints into shared .*; wait for it, stop it, or use another folder/,
    );
    expect(code).toBe(3);
    expect(readdirSync(folder)).not.toContain("second.onnx");
  });

  it("by a full disk in the middle of a checkpoint, leaves the good one", async () => {
    const before = readFileSync(at("kept/training.checkpoint"));
    const more = long.replace("--epochs 20", "--epochs 21").replace("kept", "full");
    const full = await run(`${more} --quiet --out full.onnx`, { fileBlocks: 8 });
    expect(full.stderr).toMatch(/cannot write full\/training.checkpoint: .*; nothing was changed \[FILE_WRITE\]/);
    expect(full.code).toBe(3);
    expect(readdirSync(at("full"))).toEqual([]);
    // The checkpoint of another training is refused, and stays.
    const other = await run(`${long.replace("--epochs 20", "--epochs 21")} --quiet --out full.onnx`);
    expect(other.stderr).toMatch(/belongs to another training: epochs was 20, is 21/);
    expect(readFileSync(at("kept/training.checkpoint"))).toEqual(before);
  });
});
