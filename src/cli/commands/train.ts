import type { Command } from "commander";
import { loadModel } from "../../ir/index.ts";
import { isLanguageModel } from "../../train/index.ts";
import { addTrainFlags, checkTrainFlags, checkWhatIsTrained, isText, type TrainFlags } from "../train/train-flags.ts";
import { privateText, rowsText, trainRows, trainRowsPrivately } from "../train/train-rows.ts";
import { textText, trainText } from "../train/train-text.ts";

/** marauder train --data ... --arch mlp|cnn|...|gpt (or --model user.onnx) --out model.onnx */
export function addTrain(main: Command, signal: AbortSignal): void {
  const command = main
    .command("train")
    .description("train a classifier or a model of text; the result is an ordinary ONNX file that takes raw inputs");
  addTrainFlags(command).action(async (flags: TrainFlags) => {
    checkWhatIsTrained(flags);
    const start = flags.model === undefined ? null : await loadModel(flags.model);
    const text = start === null ? isText(flags.arch) : isLanguageModel(start);
    checkTrainFlags(flags, text);
    const print = <R>(result: R, text: (result: R) => string): void =>
      void process.stdout.write(flags.json === true ? JSON.stringify(result, null, 2) + "\n" : text(result));
    if (text) print(await trainText(flags, start, signal), textText);
    else if (flags.dp === true) print(await trainRowsPrivately(flags, start, signal), privateText);
    else print(await trainRows(flags, start, signal), rowsText);
  });
}
