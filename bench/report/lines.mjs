// Draws plots of lines as SVG: panels in two columns, each with a logarithmic axis of values and a line for each series.
import { OURS } from "../data/peers.mjs";
import { COLOURS, escapeXml, STYLE } from "./svg.mjs";
import { number } from "./table.mjs";

const WIDTH = 860;
const TOP = 46;
const PANEL = { width: 410, height: 220, left: 52, right: 14, top: 34, bottom: 30 };
const COLUMNS = 2;
const LEGEND_ROW = 20;
const LEGEND_COLUMNS = 3;
/** The dashes of a series by its precision, because series of a peer share its colour. */
const DASHES = { int8: ' stroke-dasharray="5 3"', bfloat16: ' stroke-dasharray="2 2"' };

/** The SVG of panels `{ title, labels, lines: [{ peer, label, points }] }`. A point that is undefined is left out. */
export function renderLines({ heading, title, panels }) {
  const series = panels.reduce((all, { lines }) => (lines.length > all.length ? lines : all), []);
  const peers = [...new Set(series.map(({ peer }) => peer))];
  const styleOf = ({ peer, label }) => {
    const dash = Object.entries(DASHES).find(([precision]) => label.endsWith(precision))?.[1] ?? "";
    const width = peer === OURS ? 2.6 : 1.6;
    return `stroke="${COLOURS[peers.indexOf(peer) % COLOURS.length]}" stroke-width="${width}" fill="none"${dash}`;
  };
  const rows = Math.ceil(panels.length / COLUMNS);
  const legendTop = TOP + rows * PANEL.height + 8;
  const height = legendTop + Math.ceil(series.length / LEGEND_COLUMNS) * LEGEND_ROW + 10;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${escapeXml(`${heading}: ${title}`)}</title>`,
    `<style>${STYLE}\n  .axis { stroke: #8a94a3; stroke-width: 0.6 } .small { font-size: 11px }\n</style>`,
    `<rect class="paper" width="${WIDTH}" height="${height}"/>`,
    `<text class="title" x="12" y="26">${escapeXml(heading)}</text>`,
    ...panels.map((panel, index) => {
      const x = 12 + (index % COLUMNS) * (PANEL.width + 16);
      return renderPanel(panel, x, TOP + Math.floor(index / COLUMNS) * PANEL.height, styleOf);
    }),
    ...series.map((one, index) => {
      const x = 12 + (index % LEGEND_COLUMNS) * (WIDTH / LEGEND_COLUMNS);
      const y = legendTop + Math.floor(index / LEGEND_COLUMNS) * LEGEND_ROW;
      const label = `<text x="${round(x + 34)}" y="${y + 4}">${escapeXml(one.label)}</text>`;
      return `<line x1="${round(x)}" x2="${round(x + 26)}" y1="${y}" y2="${y}" ${styleOf(one)}/>\n${label}`;
    }),
    "</svg>\n",
  ].join("\n");
}

function renderPanel({ title, labels, lines }, left, top, styleOf) {
  const values = lines.flatMap(({ points }) => points.filter((value) => value > 0));
  const [low, high] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))];
  const decades = Math.max(1, high - low);
  const inner = { width: PANEL.width - PANEL.left - PANEL.right, height: PANEL.height - PANEL.top - PANEL.bottom };
  const x = (index) => round(left + PANEL.left + (labels.length > 1 ? index / (labels.length - 1) : 0.5) * inner.width);
  const y = (value) => round(top + PANEL.top + (1 - (Math.log10(value) - low) / decades) * inner.height);
  const grid = Array.from({ length: decades + 1 }, (_, step) => 10 ** (low + step)).flatMap((value) => [
    `<line class="axis" x1="${x(0)}" x2="${x(labels.length - 1)}" y1="${y(value)}" y2="${y(value)}"/>`,
    `<text class="small" x="${left + PANEL.left - 6}" y="${y(value) + 4}" text-anchor="end">${number(value)}</text>`,
  ]);
  const names = labels.map((label, index) => {
    const anchor = index === 0 ? "start" : index === labels.length - 1 ? "end" : "middle";
    return `<text class="small" x="${x(index)}" y="${top + PANEL.height - 12}" text-anchor="${anchor}">${escapeXml(label)}</text>`;
  });
  const drawn = lines.map((one) => {
    const points = one.points.flatMap((value, index) => (value > 0 ? [`${x(index)},${y(value)}`] : []));
    return points.length > 0 ? `<polyline points="${points.join(" ")}" ${styleOf(one)}/>` : "";
  });
  return [`<text class="case" x="${left}" y="${top + 18}">${escapeXml(title)}</text>`, ...grid, ...names, ...drawn]
    .filter(Boolean)
    .join("\n");
}

const round = (value) => Math.round(value * 10) / 10;
