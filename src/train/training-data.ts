import type { Dataset } from "../data/dataset.ts";
import { MarauderError } from "../errors.ts";
import { sizeOf } from "../tensor/index.ts";
import type { TrainOptions } from "./trainer.ts";

/**
 * Checks that a data set can be trained on and returns its labels and number of classes. Throws DATA_LABELS (none, out of
 * range, an empty class, a single class), DATA_INVALID (NaN, infinity) and NOT_ENOUGH_DATA (no rows).
 */
export function checkTrainingData(
  data: Dataset,
  emptyClasses: TrainOptions["emptyClasses"],
): { labels: Int32Array; classes: number } {
  const { labels, size, features, classNames } = data;
  const name = JSON.stringify(data.name);
  if (size === 0) throw new MarauderError("NOT_ENOUGH_DATA", `data set ${name} has no rows; expected at least one`);
  if (labels === null) {
    throw new MarauderError("DATA_LABELS", `data set ${name} has no labels; training needs one for each row`);
  }
  if (labels.length !== size || features.dims[0] !== size || features.data.length !== sizeOf(features.dims)) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `data set ${name} says ${size} rows, but has ${labels.length} labels and inputs of shape [${features.dims.join(", ")}]`,
    );
  }
  const classes = classNames.length;
  if (classes < 2) {
    throw new MarauderError("DATA_LABELS", `data set ${name} has ${classes} classes; a classifier needs at least 2`);
  }
  const counts = new Uint32Array(classes);
  labels.forEach((label, row) => {
    if (label < 0 || label >= classes) {
      throw new MarauderError(
        "DATA_LABELS",
        `label ${label} of row ${data.rowIds[row]} in data set ${name} is out of range; expected 0 to ${classes - 1}`,
        { details: { row: data.rowIds[row], label } },
      );
    }
    counts[label]!++;
  });
  const empty = counts.findIndex((count) => count === 0);
  if (empty >= 0 && emptyClasses === "refuse") {
    throw new MarauderError(
      "DATA_LABELS",
      `class ${empty} (${JSON.stringify(classNames[empty])}) of data set ${name} has no row, so it cannot be learned; ` +
        `add rows, drop the class, or set emptyClasses to "allow"`,
      { details: { class: empty } },
    );
  }
  const x = features.data;
  let bad = 0;
  while (bad < x.length && Number.isFinite(x[bad])) bad++;
  if (bad < x.length) {
    const width = features.data.length / size;
    const row = data.rowIds[Math.floor(bad / width)];
    throw new MarauderError(
      "DATA_INVALID",
      `input ${bad % width} of row ${row} in data set ${name} is ${x[bad]}; expected finite numbers; ` +
        `fill in or drop such rows`,
      { details: { row, input: bad % width } },
    );
  }
  return { labels, classes };
}
