import type { Detail, Interval, PartAccuracy, Tradeoff } from "../contract/index.ts";
import { detailFigure } from "./html/details.ts";
import { html, type Markup } from "./html/markup.ts";
import { htmlPage } from "./html/page.ts";
import { formatNumber } from "./format.ts";

/** The tradeoff as tables and figures. Pure. */
export function tradeoffDetails(t: Tradeoff): { readonly heading: string; readonly details: readonly Detail[] }[] {
  return [
    { heading: "All rows", details: [curve(t, "Accuracy of all test rows", [(p) => p.all]), allTable(t)] },
    {
      heading: "By class",
      details: partDetails(t, "class", (p) => p.classes),
    },
    ...(t.points[0]?.groups ?? []).map(({ column }, g) => ({
      heading: `By ${column}`,
      details: partDetails(t, column, (p) => p.groups[g]!.parts),
    })),
  ];
}

type Point = Tradeoff["points"][number];

/** Lines of at most so many parts: those that lose most, and the one that loses least. */
const LINES = 6;

/** The parts of the tightest guarantee, those that lose most first (lowest accuracy where there is no model without privacy). */
export function byCost(t: Tradeoff, partsOf: (p: Point) => readonly PartAccuracy[]): readonly number[] {
  const parts = t.points[0] === undefined ? [] : partsOf(t.points[0]);
  const loss = (part: PartAccuracy): number => part.cost?.value ?? 1 - part.accuracy.value;
  return parts.map((_, i) => i).sort((a, b) => loss(parts[b]!) - loss(parts[a]!));
}

function partDetails(t: Tradeoff, what: string, partsOf: (p: Point) => readonly PartAccuracy[]): Detail[] {
  const order = byCost(t, partsOf);
  const shown = order.length <= LINES ? order : [...order.slice(0, LINES - 1), order.at(-1)!];
  const caption =
    order.length <= LINES
      ? `Accuracy of each ${what}`
      : `Accuracy of the ${LINES - 1} values of ${what} that lose most and of the one that loses least`;
  return [
    curve(
      t,
      caption,
      shown.map((i) => (p: Point) => partsOf(p)[i]!),
    ),
    partTable(t, what, partsOf, order),
  ];
}

function curve(t: Tradeoff, caption: string, lines: readonly ((p: Point) => PartAccuracy)[]): Detail {
  const guarded = t.points.filter((p) => p.epsilon !== null);
  const plain = t.points.find((p) => p.epsilon === null);
  const ends = [guarded[0], guarded.at(-1)].filter((p) => p !== undefined);
  const point = (x: number, { value, low, high }: Interval) => ({ x, y: value, low, high });
  const series = lines.flatMap((line) => {
    const { name } = line(t.points[0]!);
    const own = { name, points: guarded.map((p) => point(p.epsilon!, line(p).accuracy)) };
    // A dashed level for the model without privacy, where one line alone can be told from the others.
    if (plain === undefined || lines.length > 1) return [own];
    const level = line(plain).accuracy;
    return [
      own,
      { name: "without privacy", style: "dashed" as const, points: ends.map((p) => point(p.epsilon!, level)) },
    ];
  });
  return {
    type: "series",
    caption,
    x: { label: `epsilon, at delta ${String(Number(t.delta.toPrecision(3)))}`, scale: "log" },
    y: { label: "accuracy", scale: "linear", unit: "fraction", domain: [lowest(series), 1] },
    series,
  };
}

/** Where the axis begins: a tenth below what is drawn. */
const lowest = (series: readonly { readonly points: readonly { readonly low: number }[] }[]): number => {
  const least = Math.min(...series.flatMap(({ points }) => points.map((p) => p.low)));
  return Number.isFinite(least) ? Math.max(0, Math.floor(10 * least - 0.2) / 10) : 0;
};

const epsilonWords = ({ epsilon }: Point): string => (epsilon === null ? "without privacy" : formatNumber(epsilon));

function allTable(t: Tradeoff): Detail {
  return {
    type: "table",
    caption: "Accuracy, and what privacy costs",
    columns: [
      { key: "epsilon", label: "epsilon" },
      { key: "accuracy", label: "accuracy", unit: "fraction" },
      { key: "cost", label: "lost", unit: "fraction" },
    ],
    rows: t.points.map((p) => ({ epsilon: epsilonWords(p), accuracy: p.all.accuracy, cost: p.all.cost })),
  };
}

function partTable(
  t: Tradeoff,
  what: string,
  partsOf: (p: Point) => readonly PartAccuracy[],
  order: readonly number[],
): Detail {
  return {
    type: "table",
    caption: `Accuracy by ${what}, those that lose most first`,
    columns: [
      { key: "part", label: what },
      { key: "rows", label: "training rows", unit: "count" },
      { key: "tests", label: "test rows", unit: "count" },
      ...t.points.map((p, i) => ({
        key: `e${i}`,
        label: p.epsilon === null ? "without privacy" : `epsilon ${epsilonWords(p)}`,
        unit: "fraction" as const,
      })),
      { key: "cost", label: `lost at epsilon ${epsilonWords(t.points[0]!)}`, unit: "fraction" },
    ],
    rows: order.map((i) => {
      const first = partsOf(t.points[0]!)[i]!;
      return {
        part: first.name,
        rows: first.trainRows,
        tests: first.testRows,
        ...Object.fromEntries(t.points.map((p, k) => [`e${k}`, partsOf(p)[i]!.accuracy])),
        cost: first.cost,
      };
    }),
    highlight: order.length > 0 ? [0] : [],
  };
}

/** The one sentence: what is lost at the tightest guarantee, and by whom most. */
export function tradeoffHeadline(t: Tradeoff): string {
  const first = t.points[0];
  const percent = (x: number): string => formatNumber(x, "fraction");
  const points = (x: number): string => `${(100 * Math.abs(x)).toFixed(1)} points`;
  if (first === undefined || first.epsilon === null) return "No private model was trained.";
  const parts: string[] = [
    `At epsilon ${epsilonWords(first)} accuracy is ${percent(first.all.accuracy.value)}` +
      (first.all.cost === null
        ? "."
        : `, ${points(first.all.cost.value)} ${first.all.cost.value < 0 ? "more" : "less"} than without privacy.`),
  ];
  const worst = (name: string, partsOf: (p: Point) => readonly PartAccuracy[]): void => {
    const [most, least] = [byCost(t, partsOf)[0], byCost(t, partsOf).at(-1)];
    if (most === undefined || most === least) return;
    const [a, b] = [partsOf(first)[most]!, partsOf(first)[least!]!];
    const lost = (p: PartAccuracy): string =>
      p.cost === null
        ? `has ${percent(p.accuracy.value)}`
        : `${p.cost.value < 0 ? "gains" : "loses"} ${points(p.cost.value)}`;
    parts.push(`${name} ${a.name} (${a.trainRows} training rows) ${lost(a)}, ${b.name} (${b.trainRows}) ${lost(b)}.`);
  };
  worst("Class", (p) => p.classes);
  first.groups.forEach(({ column }, g) => worst(column, (p) => p.groups[g]!.parts));
  return parts.join(" ");
}

/** The tradeoff as one HTML file, with the style of the report page. */
export function renderTradeoff(t: Tradeoff, version: string): string {
  const title = `Accuracy against privacy: ${t.arch} on ${t.data}`;
  const body: Markup = html`<section class="masthead" id="summary">
      <h1>${title}</h1>
      <p class="verdict-line">${tradeoffHeadline(t)}</p>
      <p class="run">
        <span>${t.trainRows} training rows</span><span>${t.testRows} test rows</span>
        <span>${t.seeds.length} seeds</span><span>adjacency ${t.adjacency}</span><span>noise: ${t.noise}</span>
      </p>
    </section>
    ${tradeoffDetails(t).map(
      ({ heading, details }, s) =>
        html`<section>
          <div class="section-head"><h2>${heading}</h2></div>
          ${details.map((detail, i) => detailFigure(detail, `t${s}-${i}`))}
        </section>`,
    )}
    <section>
      <div class="section-head"><h2>How to read this</h2></div>
      <ul class="prose">
        ${t.caveats.map((caveat) => html`<li><p>${caveat}</p></li>`)}
      </ul>
    </section>`;
  return htmlPage(title, version, html`<div class="page"><main>${body}</main></div>`);
}
