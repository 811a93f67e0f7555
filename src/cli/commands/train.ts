import type { Command } from "commander";
import { checkWritable } from "../../files.ts";
import { addTrainFlags, checkTrainFlags, isText, type TrainFlags } from "../train/train-flags.ts";
import { privateText, rowsText, trainRows, trainRowsPrivately } from "../train/train-rows.ts";
import { textText, trainText } from "../train/train-text.ts";

/** marauder train --data ... --arch mlp|cnn|...|gpt (or --model user.onnx) --out model.onnx */
export function addTrain(main: Command, signal: AbortSignal): void {
  const command = main
    .command("train")
    .description("train a classifier or a model of text; the result is an ordinary ONNX file that takes raw inputs");
  addTrainFlags(command).action(async (flags: TrainFlags) => {
    checkTrainFlags(flags);
    await checkWritable(flags.out);
    const print = <R>(result: R, text: (result: R) => string): void =>
      void process.stdout.write(flags.json === true ? JSON.stringify(result, null, 2) + "\n" : text(result));
    if (isText(flags.arch)) print(await trainText(flags, signal), textText);
    else if (flags.dp === true) print(await trainRowsPrivately(flags, signal), privateText);
    else print(await trainRows(flags, signal), rowsText);
  });
}
