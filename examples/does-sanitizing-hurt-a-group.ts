// Nothing was planted in these data. A detector that takes the rare for the wrong removes honest rows; the audit says whose.
import { makeTransactions, runContext, sanitize } from "marauder-ml";
import { tableDataset } from "marauder-ml/data";

const context = runContext({ seed: 4 });
const table = makeTransactions(4000, context.rng.child("transactions"));
const data = tableDataset(table, "transactions", { label: "fraud", groups: ["region"], id: "id" });

const { removed, audit } = await sanitize(
  data,
  { detector: "knn-label-agreement", action: "flag", reference: null },
  context,
);
console.log(`${removed.length > 0 ? "some" : "no"} rows flagged; the audit says: ${audit.verdict}`);
for (const group of audit.groups) {
  console.log(
    `${group.column} ${group.value}: ${group.rows} rows, removed ${Math.round((100 * group.removed) / group.rows)} %`,
  );
}
