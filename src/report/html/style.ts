/** The page's style sheet. Colours are variables: severity sets `--accent`, the scheme sets the rest; print is always light. */

const light = `
  --bg: #faf9f6; --surface: #ffffff; --sunk: #f3f1ec; --ink: #1d1c1a; --soft: #3f3d39; --muted: #68645d; --line: #e3dfd7; --grid: #ece9e2;
  --link: #23549c; --critical: #a8123e; --high: #b9410b; --medium: #8a6100; --low: #1c6a82; --ok: #2e6b46; --off: #6b675f;
  --s1: #2b5fab; --s2: #b9500f; --s3: #2c7a55; --s4: #8a3f87; --s5: #8a6a00; --s6: #5d6570; --del: #9f1d35; --ins: #22663f; --mark: #ffe9a8; --shade: rgb(40 36 28 / 0.2);`;

const dark = `
  --bg: #131415; --surface: #1b1c1e; --sunk: #232427; --ink: #eceae6; --soft: #cfccc6; --muted: #a09c94; --line: #33343a; --grid: #2a2b30;
  --link: #8fb6f2; --critical: #ff7f95; --high: #ff9a62; --medium: #e8bd4d; --low: #74c3da; --ok: #7ecb9c; --off: #a09c94;
  --s1: #7eaef5; --s2: #f2a065; --s3: #74cfa2; --s4: #d99ad6; --s5: #e0c15a; --s6: #a9b1bd; --del: #ff92a2; --ins: #86d6a4; --mark: #5c4a12; --shade: rgb(236 234 230 / 0.2);`;

const base = `
:root { color-scheme: light dark; ${light} }
@media (prefers-color-scheme: dark) { :root { ${dark} } }
*, *::before, *::after { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1.5rem; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--bg); color: var(--ink); font: 16px/1.6 Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", sans-serif; font-variant-numeric: tabular-nums; font-variant-ligatures: no-contextual; overflow-wrap: anywhere; }
h1, h2, h3, h4, p, ul, ol, dl, dd, figure { margin: 0; padding: 0; }
ul { list-style: none; }
h1, h2, h3 { line-height: 1.2; letter-spacing: -0.015em; font-weight: 650; text-wrap: balance; }
h1 { font-size: clamp(1.9rem, 5vw, 2.75rem); letter-spacing: -0.025em; }
h2 { font-size: 1.65rem; }
h3 { font-size: 1.18rem; }
h4 { font-size: 0.78rem; font-weight: 650; letter-spacing: 0.02em; color: var(--muted); margin-bottom: 0.5rem; }
a { color: var(--link); text-underline-offset: 0.18em; text-decoration-thickness: 1px; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 3px; border-radius: 3px; }
code { font: 0.84em/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; color: var(--soft); }
small { font-size: 0.8rem; }
.muted { color: var(--muted); }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--surface); padding: 0.5rem 1rem; z-index: 3; }
.sev-critical { --accent: var(--critical); } .sev-high { --accent: var(--high); } .sev-medium { --accent: var(--medium); }
.sev-low, .sev-none { --accent: var(--low); } .out-pass { --accent: var(--ok); }
.out-inconclusive, .out-inapplicable, .out-error { --accent: var(--off); }`;

const frame = `
.page { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem; }
nav { display: none; }
main > section, main > aside { margin-top: 4.5rem; }
.masthead h1 { margin-top: 1.6rem; }
.brand { display: flex; align-items: center; gap: 0.5rem; font-weight: 650; }
.brand span { color: var(--muted); font-weight: 400; }
.logo { fill: var(--ink); } .logo-cut { fill: none; stroke: var(--bg); stroke-width: 1.9; stroke-linejoin: round; stroke-linecap: round; }
.audited { margin-top: 0.7rem; color: var(--muted); max-width: 44rem; } .audited a { color: inherit; }
.verdict-line { font-size: 1.2rem; line-height: 1.5; color: var(--soft); margin-top: 0.9rem; max-width: 44rem; text-wrap: pretty; }
.run { display: flex; flex-wrap: wrap; gap: 0.2rem 1.25rem; margin-top: 1.1rem; color: var(--muted); font-size: 0.88rem; }
.section-head { border-top: 2px solid var(--ink); padding-top: 1.1rem; }
.eyebrow { font-size: 0.82rem; color: var(--muted); font-weight: 500; }
.lead { color: var(--soft); margin-top: 0.5rem; max-width: 42rem; text-wrap: pretty; }
.empty { color: var(--muted); margin-top: 1rem; }
.icon { width: 1.15em; height: 1.15em; flex: none; color: var(--accent); vertical-align: -0.2em; }
.icon .o { fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round; }
.icon .dash { stroke-dasharray: 2.6 2.4; } .icon .f { fill: currentColor; }
.icon .k { stroke: var(--surface); stroke-width: 2; stroke-linecap: round; } .icon .kf { fill: var(--surface); }
.badges { display: flex; flex-wrap: wrap; gap: 0.35rem 0.85rem; align-items: center; font-size: 0.88rem; }
.badge { display: inline-flex; align-items: center; gap: 0.4rem; color: var(--accent); font-weight: 600; }
.badge.quiet { color: var(--muted); font-weight: 500; border: 1px solid var(--line); border-radius: 99px; padding: 0 0.6rem; line-height: 1.55; font-size: 0.82rem; }
.bars { display: inline-flex; gap: 2px; align-items: flex-end; }
.bars i { width: 3.5px; background: var(--accent); opacity: 0.25; border-radius: 1px; }
.bars i:nth-child(1) { height: 5px; } .bars i:nth-child(2) { height: 7.5px; } .bars i:nth-child(3) { height: 10px; } .bars i:nth-child(4) { height: 12.5px; }
.b-critical i, .b-high i:nth-child(-n+3), .b-medium i:nth-child(-n+2), .b-low i:first-child { opacity: 1; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 1fr)); gap: 1rem; }
main > #summary { margin-top: 2.5rem; }
.card { display: flex; flex-direction: column; background: var(--surface); border: 1px solid var(--line); border-top: 4px solid var(--accent); border-radius: 8px; padding: 1.15rem 1.25rem 1rem; }
.card h3 { font-size: 1.3rem; margin-bottom: 0.8rem; }
.card-headline { font-size: 1.02rem; line-height: 1.45; margin: 0.7rem 0 0.6rem; text-wrap: pretty; }
.card-link, .tally { font-size: 0.86rem; line-height: 1.5; }
.tally { color: var(--muted); margin-top: auto; padding-top: 0.9rem; }
.card .followup { margin-top: 0.6rem; }
.followup { display: flex; gap: 0.5rem; font-size: 0.9rem; line-height: 1.5; color: var(--soft); }
.first ol { list-style: none; counter-reset: step; margin-top: 1.1rem; }
.first li { counter-increment: step; position: relative; padding: 0.85rem 0 0.85rem 3.1rem; border-top: 1px solid var(--line); }
.first li::before { content: counter(step); position: absolute; left: 0; top: 0.95rem; width: 2rem; height: 2rem; border-radius: 50%; border: 2px solid var(--accent); color: var(--accent); font-weight: 650; line-height: 1.75rem; text-align: center; }
.first li p:first-child { font-size: 1.05rem; line-height: 1.5; text-wrap: pretty; }
.why { color: var(--muted); font-size: 0.88rem; margin-top: 0.1rem; }
.warnings { border: 1px solid var(--line); border-left: 4px solid var(--medium); background: var(--surface); border-radius: 8px; padding: 1rem 1.25rem; }
main > .warnings { margin-top: 2.5rem; }
.warnings h2 { font-size: 1rem; } .warnings li { margin-top: 0.4rem; }
.subjects { margin-top: 1.1rem; }
.subject { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: 0.6rem 2.5rem; padding: 1.1rem 0; border-top: 1px solid var(--line); }
.subject h3 code { font-weight: 400; color: var(--muted); margin-left: 0.3rem; }
.subject h4 { margin: 0.8rem 0 0.15rem; }
.subject ul li { padding-left: 1rem; position: relative; } .subject ul li::before { content: "–"; position: absolute; left: 0; color: var(--muted); }
.prints { margin-top: 0.2rem; font-size: 0.84rem; } .prints code { font-size: 0.74rem; color: var(--muted); }
.prints div, .facts div { display: grid; grid-template-columns: 7.5rem minmax(0, 1fr); gap: 0.75rem; } .prints div { grid-template-columns: 4rem minmax(0, 1fr); } .prints div + div { margin-top: 0.3rem; }
.prints dt, .facts dt { color: var(--muted); }
footer { margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--muted); font-size: 0.86rem; }`;

const findings = `
.finding, .repair { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; padding: 1.6rem 1.75rem; margin-top: 1.5rem; }
.finding { border-left: 4px solid var(--accent); }
.finding > header h3 { font-size: 1.32rem; margin-top: 0.55rem; }
.meta { color: var(--muted); font-size: 0.88rem; margin-top: 0.2rem; }
.meta code { color: var(--muted); }
.meta span + code { margin-left: 0.5rem; }
.headline { font-size: 1.16rem; line-height: 1.5; margin-top: 0.9rem; max-width: 44rem; text-wrap: pretty; }
.finding > .followup { margin-top: 1.1rem; background: var(--sunk); border-radius: 6px; padding: 0.55rem 0.85rem; }
.measures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(11.5rem, 100%), 1fr)); gap: 1.1rem 1.75rem; margin-top: 1.3rem; }
.measures dt { font-size: 0.84rem; line-height: 1.35; color: var(--muted); }
.measures > div { display: grid; grid-template-rows: subgrid; grid-row: span 2; gap: 0; } .measures dt { align-self: end; }
.measures dd b { display: block; font-size: 1.5rem; line-height: 1.3; font-weight: 600; letter-spacing: -0.01em; }
.measures dd small { display: block; }
.range { color: var(--muted); white-space: nowrap; font-size: 0.8rem; }
.strip { display: block; max-width: 100%; margin-top: 0.25rem; }
.strip .track { stroke: var(--line); stroke-width: 2; } .strip .bar { stroke: var(--accent, var(--s1)); stroke-width: 5; opacity: 0.35; }
.strip .dot { fill: var(--accent, var(--s1)); stroke: var(--accent, var(--s1)); stroke-width: 1.8; } .strip .dot.hollow { fill: var(--surface); }
.detail { margin-top: 2rem; }
.detail > figcaption { font-weight: 600; font-size: 0.98rem; line-height: 1.45; margin-bottom: 0.8rem; text-wrap: pretty; }
.note { color: var(--muted); font-size: 0.85rem; margin-top: 0.5rem; }
.scroll { overflow: auto; max-height: 31rem; --under: var(--surface);
  /* Where scroll bars hide, a shade says that the table goes on; at its end the first layer, which scrolls along, covers it. */
  background: linear-gradient(transparent, var(--under) 60%) bottom / 100% 3rem no-repeat local, linear-gradient(transparent, var(--shade)) bottom / 100% 1.4rem no-repeat scroll; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; line-height: 1.45; }
th, td { text-align: left; vertical-align: top; padding: 0.45rem 1.1rem 0.45rem 0; border-bottom: 1px solid var(--line); }
td:not(.n) { min-width: 6.5rem; overflow-wrap: anywhere; } th { overflow-wrap: break-word; } .dense .range { display: block; }
th:last-child, td:last-child { padding-right: 0.35rem; }
thead th { position: sticky; top: 0; background: var(--surface); color: var(--muted); font-weight: 550; font-size: 0.83rem; vertical-align: bottom; box-shadow: inset 0 -1px var(--line); border-bottom: 0; }
section#run .scroll { --under: var(--bg); } section#run thead th { background: var(--bg); }
tbody th { font-weight: 500; } tbody th small { display: block; color: var(--muted); font-weight: 400; }
.n { text-align: right; white-space: nowrap; } th.n { white-space: normal; }
td { max-width: 26rem; }
.marked td { background: color-mix(in srgb, var(--accent, var(--s1)) 9%, transparent); font-weight: 600; }
.marked td:first-child { box-shadow: inset 3px 0 var(--accent, var(--s1)); padding-left: 0.75rem; }
.marked .range { font-weight: 400; }
.pictures { display: grid; gap: 1.5rem 2.25rem; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); }
.pictures .id, .diff-row .id { font-size: 0.82rem; color: var(--muted); margin-bottom: 0.4rem; }
.cells { display: grid; grid-auto-flow: column; grid-auto-columns: minmax(0, 9rem); gap: 0.75rem; }
.cell img { display: block; width: 100%; height: auto; image-rendering: pixelated; border: 1px solid var(--line); border-radius: 4px; background: var(--sunk); }
.cell p { font-size: 0.82rem; line-height: 1.35; margin-top: 0.4rem; } .cell span { display: block; color: var(--muted); } .cell b { font-weight: 600; }
.cell .broken { border: 1px dashed var(--line); border-radius: 4px; padding: 0.75rem; color: var(--muted); margin: 0; }
.diff-row { border-top: 1px solid var(--line); padding: 0.8rem 0; }
.diff-row .head { display: flex; flex-wrap: wrap; gap: 0 1.25rem; align-items: baseline; } .diff-row .id { margin: 0; } .flip b { color: var(--accent); }
.diff-row dl { margin-top: 0.35rem; font-size: 0.92rem; }
.diff-row dl div { display: grid; grid-template-columns: minmax(7rem, 12rem) minmax(0, 1fr); gap: 0.1rem 1rem; }
.diff-row dt { color: var(--muted); }
.diff-row del, .diff-row ins, .pre { white-space: pre-wrap; }
del { color: var(--del); text-decoration-thickness: 1px; } ins { color: var(--ins); text-decoration: none; font-weight: 600; }
del:has(mark), ins:has(mark) { color: inherit; text-decoration: none; font-weight: 400; }
dd:has(mark) del, dd:has(mark) ins { display: block; } dd:has(mark) .arrow { display: none; } dd:has(mark) ins { margin-top: 0.2rem; }
mark { background: var(--mark); color: inherit; border-radius: 2px; padding: 0 0.1em; } del mark { text-decoration: line-through; text-decoration-thickness: 1px; } ins mark { font-weight: 600; }
.prose p { max-width: 44rem; color: var(--soft); } .prose p + p { margin-top: 0.6rem; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); gap: 1.75rem 3rem; margin-top: 2rem; }
.advice ol { padding-left: 1.35rem; } .advice li { padding-left: 0.2rem; } .advice li + li { margin-top: 0.35rem; } .advice li::marker { color: var(--accent); font-weight: 650; }
.threat dl div { display: grid; grid-template-columns: 7.2rem minmax(0, 1fr); gap: 0.5rem; font-size: 0.92rem; } .threat dt { color: var(--muted); }
.ids { margin-top: 0.8rem; font-size: 0.84rem; line-height: 1.5; } .ids li { display: grid; grid-template-columns: 7.2rem minmax(0, 1fr); gap: 0.5rem; } .ids li + li { margin-top: 0.25rem; }
.from { margin-top: 1.4rem; color: var(--muted); font-size: 0.8rem; } .from code { color: var(--muted); }
.skipped { margin-top: 1.75rem; } .skipped h3 { font-size: 1rem; color: var(--soft); } .skipped li { display: flex; gap: 0.7rem; margin-top: 0.7rem; font-size: 0.94rem; line-height: 1.5; } .skipped .icon { margin-top: 0.2em; }
.repair h3 + p { margin-top: 0.3rem; max-width: 44rem; }
.repair .scroll { margin-top: 1rem; }
.key { display: inline-block; width: 0.68rem; height: 0.68rem; border-radius: 50%; border: 2px solid var(--s1); vertical-align: -0.02em; margin-right: 0.15rem; } .key.solid { background: var(--s1); margin-left: 1rem; }
.compare .range { display: block; } .change { white-space: nowrap; } .change .muted { font-size: 0.85rem; }
.c-better { --accent: var(--ok); } .c-worse { --accent: var(--high); } .c-same { --accent: var(--off); } .change { color: var(--accent); }
.terms div + div { margin-top: 0.8rem; } .terms dt { font-weight: 600; } .terms dd { color: var(--soft); font-size: 0.94rem; }
#reading h3 { font-size: 1.02rem; margin-bottom: 0.7rem; } #reading .terms + h3 { margin-top: 1.6rem; } #reading p + p { margin-top: 0.6rem; } #reading .two p { color: var(--soft); font-size: 0.94rem; }
#run h3 { font-size: 1.02rem; margin: 1.8rem 0 0.4rem; } .pair { display: inline-block; margin-right: 0.8rem; } .facts { margin-top: 1.8rem; font-size: 0.9rem; columns: 2 20rem; column-gap: 3rem; } .facts div { break-inside: avoid; }`;

const charts = `
.chart { display: block; width: 100%; height: auto; overflow: visible; touch-action: pan-y; }
.chart.wide { max-width: 50rem; }
.chart.narrow, .legend.narrow-only { display: none; }
.chart text { font-size: 12.5px; fill: var(--muted); } .chart .name { fill: var(--soft); font-weight: 550; }
.grid { stroke: var(--grid); } .base, .tick, .break { stroke: var(--muted); opacity: 0.7; } .break { fill: var(--surface); }
.s1 { --series: var(--s1); } .s2 { --series: var(--s2); } .s3 { --series: var(--s3); } .s4 { --series: var(--s4); } .s5 { --series: var(--s5); } .s6 { --series: var(--s6); }
.line { fill: none; stroke: var(--series); stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; } .line.dashed { stroke-dasharray: 5 5; stroke-width: 1.7; }
.band { fill: var(--series); opacity: 0.15; } .whisker { stroke: var(--series); stroke-width: 1.8; opacity: 0.6; }
.mark { fill: var(--surface); stroke: var(--series); stroke-width: 1.9; }
.chart text.end { fill: var(--series); font-weight: 600; font-size: 13px; }
.hit { fill: transparent; } .hit.on { fill: var(--series); stroke: var(--surface); stroke-width: 2; r: 6px; }
.legend { display: flex; flex-wrap: wrap; gap: 0.15rem 1.25rem; font-size: 0.85rem; margin-bottom: 0.6rem; } .legend li { display: flex; align-items: center; gap: 0.45rem; } .swatch { flex: none; }
.tip { position: absolute; z-index: 2; pointer-events: none; max-width: 20rem; background: var(--ink); color: var(--bg); font-size: 0.85rem; line-height: 1.4; padding: 0.35rem 0.65rem; border-radius: 5px; }
.numbers { margin-top: 0.4rem; font-size: 0.88rem; } .numbers summary { color: var(--muted); cursor: pointer; width: max-content; } .numbers .scroll { max-height: 18rem; margin-top: 0.4rem; } .numbers table { width: auto; min-width: 55%; }`;

const media = `
@media (min-width: 80rem) {
  .page { max-width: 76rem; display: grid; grid-template-columns: 11rem minmax(0, 1fr); gap: 4rem; }
  nav { display: block; position: sticky; top: 2.7rem; align-self: start; font-size: 0.9rem; }
  nav li + li { margin-top: 0.45rem; } nav a { color: var(--muted); text-decoration: none; } nav a:hover { color: var(--ink); text-decoration: underline; }
}
@media (max-width: 42rem) {
  .page { padding: 1.5rem 1rem 3rem; } main > section { margin-top: 3.25rem; } h2 { font-size: 1.45rem; } .audited { margin-top: 0.7rem; color: var(--muted); max-width: 44rem; } .audited a { color: inherit; }
.verdict-line { font-size: 1.08rem; }
  .finding, .repair { padding: 1.15rem 1rem; } .finding > header h3 { font-size: 1.2rem; } .headline { font-size: 1.06rem; }
  .chart.wide { display: none; } .chart.narrow { display: block; } .legend.narrow-only { display: flex; } .wide-only { display: none; }
  .measures { grid-template-columns: repeat(auto-fill, minmax(min(8.5rem, 100%), 1fr)); gap: 1rem 1.1rem; } .measures dd b { font-size: 1.3rem; } .range { white-space: normal; }
  th, td { padding-right: 0.8rem; } .n { white-space: normal; min-width: 4.6rem; } .change { white-space: normal; } .compare thead th:first-child { min-width: 7rem; } .diff-row dl div { grid-template-columns: 1fr; } .diff-row dl div + div { margin-top: 0.4rem; }
  .facts div { grid-template-columns: 5.5rem minmax(0, 1fr); }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
@media print {
  :root { color-scheme: light; ${light} --bg: #fff; }
  @page { margin: 16mm 15mm; }
  html { font-size: 12.5px; } body { font-size: 1rem; } nav, .skip, .tip { display: none; } .page { display: block; max-width: none; padding: 0; } main > section { margin-top: 2rem; }
  .scroll { max-height: none; overflow: visible; background: none; } thead th { position: static; } .numbers { display: none; }
  .finding, .repair { padding: 1rem 1.25rem; } .card, .detail.series, .pictures .row, .diff-row, .measures > div, .first li, tr, .threat, .advice, .subject { break-inside: avoid; } h2, h3, h4, figcaption, .section-head, .finding > header { break-after: avoid; } .section-head, .finding > header, .followup, .compare tr { break-inside: avoid; }
  .cards { grid-template-columns: repeat(3, 1fr); } a { color: inherit; } .chart.wide { display: block; max-width: 38rem; } .chart.narrow { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}`;

export const pageStyle = [base, frame, findings, charts, media].join("\n").replaceAll(/\n\s*/g, "\n").trimStart();
