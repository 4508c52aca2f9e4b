// Tables and plots of suites that load a service: for each call the rate and the times by the number of callers, and by the share of the
// capacity at which calls arrive.
import { OURS } from "../data/peers.mjs";
import { renderLines } from "./lines.mjs";
import { medianRatio } from "./statistics.mjs";
import { number, table } from "./table.mjs";

/** What a table shows of each case: its title, and the parts of its cells. */
const RATE = { title: "per second", parts: ["per second"], isRate: true };
const TIMES = { title: "ms, p50 / p99", parts: ["p50", "p99"] };
const FIRST = { title: "ms to the first token, p50 / p99", parts: ["first token, p50", "first token, p99"] };
const STEPS = { title: "first token, p99, in steps", parts: ["first token, p99, in steps"] };
const DELAY = { title: "event loop, ms, p50 / p99", parts: ["event loop, p50", "event loop, p99"] };
const CPU = { title: "processor time of the server, ms", parts: ["processor time"] };
const MEASURES = [RATE, FIRST, STEPS, TIMES, DELAY, CPU];
/** The measures that are drawn. */
const DRAWN = [
  RATE,
  { title: "ms to the first token, p99", parts: ["first token, p99"] },
  { title: "ms to the end, p99", parts: ["p99"] },
];

/** The tables of a group, and the cases that are not loops, which have tables of their own. */
export function renderLoad(group, { cases }) {
  return panelsOf(cases).flatMap(({ title, cases: columns, labels }) =>
    MEASURES.flatMap((measure) => {
      const rows = group.series.map((one) => [
        one.peer === OURS ? `**${one.label}**` : one.label,
        ...columns.map(({ name }) => cell(one, name, measure, group)),
      ]);
      const filled = rows.filter((row) => row.slice(1).some((text) => text !== ""));
      return filled.length > 0 ? [table([`${title}: ${measure.title}`, ...labels], filled)] : [];
    }),
  );
}

/** The plots of a group: lines of each series over the callers, or over the share of the capacity. */
export function renderLoadPlot(group, { title, cases }) {
  const panels = panelsOf(cases).flatMap((panel) =>
    DRAWN.flatMap((measure) => {
      const lines = group.series.map(({ peer, label, figures }) => ({
        peer,
        label,
        points: panel.cases.map(({ name }) => figures.get(`${name}: ${measure.parts[0]}`)?.median),
      }));
      const isDrawn = lines.some(({ points }) => points.some((value) => value !== undefined));
      return isDrawn ? [{ title: `${panel.title}: ${measure.title}`, labels: panel.labels, lines }] : [];
    }),
  );
  return renderLines({ heading: `${group.suite}, ${group.model}`, title, panels });
}

/** The loops of each call, `[{ title, cases, labels }]`. */
function panelsOf(cases) {
  const panels = new Map();
  for (const one of cases) {
    if (!one.call) continue;
    const title = one.share === undefined ? one.call : `${one.call}, random arrivals`;
    if (!panels.has(title)) panels.set(title, { title, cases: [], labels: [] });
    const panel = panels.get(title);
    panel.cases.push(one);
    panel.labels.push(one.share === undefined ? `${one.callers} at once` : `${one.share} of capacity`);
  }
  return [...panels.values()];
}

function cell({ figures, kind, peer }, name, { parts, isRate = false }, { series }) {
  const found = parts.map((part) => figures.get(`${name}: ${part}`));
  if (found.some((figure) => figure === undefined)) return "";
  const text = found.map(({ median }) => number(median)).join(" / ");
  const ours = series.find((one) => one.peer === OURS && one.precision === kind);
  const ratio = isRate && peer !== OURS ? medianRatio(found[0], ours?.figures.get(`${name}: ${parts[0]}`)) : undefined;
  return ratio === undefined ? text : `${text} (${ratio.toFixed(2)}×)`;
}

/** Whether a figure's case is a part of a loop, so that it is in these tables. */
export function isLoop(name, { cases }) {
  return cases.some((one) => one.call && name.startsWith(`${one.name}: `));
}
