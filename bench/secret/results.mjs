// The page of results from what the run measured. Nothing in it comes from the mails but counts and losses.

const cell = (value) =>
  value === null || value === undefined
    ? ""
    : typeof value === "object"
      ? `${value.value.toFixed(2)} (${value.low.toFixed(2)} to ${value.high.toFixed(2)})`
      : String(value);

function table(detail) {
  const head = detail.columns.map((c) => c.label);
  const rows = detail.rows.map((row) => detail.columns.map((c) => cell(row[c.key])));
  return [head, head.map(() => "---"), ...rows].map((r) => `| ${r.join(" | ")} |`).join("\n");
}

/** The canary figure as numbers: a row for each model. */
function figureTable({ caption, series }) {
  const lines = series.filter((s) => s.style !== "dashed");
  const head = ["model", ...lines[0].points.map((p) => `planted ${p.x} times`)];
  const rows = lines.map((s) => [s.name, ...s.points.map((p) => cell({ value: p.y, low: p.low, high: p.high }))]);
  const body = [head, head.map(() => "---"), ...rows].map((r) => `| ${r.join(" | ")} |`).join("\n");
  return [caption, "", body, ""];
}

export function resultsText({ report, models, costs, settings, mails, records, manifest }) {
  const finding = (subject) => report.findings.find((f) => f.subject === subject && f.check === "planted-secrets");
  const own = finding("mail");
  const kept = finding("mail-private");
  const tables = own.details.filter((d) => d.type === "table");
  const cost = models.map(
    ({ id, title }) => `| ${title} | ${costs[id].bits.toFixed(3)} | ${costs[id].error.toFixed(3)} |`,
  );
  const trainings = Object.entries(settings).filter(([, s]) => s !== null);
  return [
    "# A secret in the mail",
    "",
    `Made by \`node bench/secret/run.mjs\` on ${report.created.slice(0, 10)}. ${mails} real mails (Enron, ham; the first 63 characters each, one mail one record) ` +
      `with ${records - mails} records that hold one of ${manifest.canaries.filter((c) => c.repetitions > 0).length} made-up secrets; ` +
      `${manifest.canaries.filter((c) => c.repetitions === 0).length} more were drawn and planted nowhere. A small LSTM (characters, one layer, width 64) learns to predict the next character. ` +
      "The unit of privacy is one record: a secret that is planted 100 times is 100 records, and the guarantee is for each of them, not for all together.",
    "",
    "The plain model:",
    "",
    `> ${own.headline}`,
    "",
    "The private one:",
    "",
    `> ${kept.headline}`,
    "",
    ...tables.flatMap((t) => [`## ${t.caption.split(/[:(;]/)[0].trim()}`, "", t.caption, "", table(t), ""]),
    "## Exposure of each form",
    "",
    ...own.details.filter((d) => d.type === "series" && d.caption.startsWith("Exposure of")).flatMap(figureTable),
    "A secret that is planted 100 times is 100 records, which no guarantee for one record covers: where a private model keeps bits",
    "above a guess, it is there. The searches still fail.",
    "",
    "## What it costs",
    "",
    "Bits for each character of 400 mails that no model saw (standard error over mails). The private models are small, briefly",
    "trained and pay for their noise; a plain model that was stopped at as many steps (2 epochs) is better and gives away more.",
    "",
    "| model | bits per character | standard error |",
    "| --- | --- | --- |",
    ...cost,
    "",
    "## How the models were trained",
    "",
    ...trainings.map(
      ([name, { seconds, ...s }]) =>
        `- ${name}: ${Object.entries(s)
          .map(([k, v]) => `${k} ${typeof v === "number" ? Number(v.toPrecision(6)) : v}`)
          .join(", ")}; ${Math.round(seconds)} s of wall time on a shared machine`,
    ),
    "",
  ].join("\n");
}
