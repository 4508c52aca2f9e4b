// Draws plots as SVG: a panel for each case, with a bar for each series, and its spread as a line.
import { OURS } from "../data/peers.mjs";
import { number } from "./table.mjs";

const WIDTH = 860;
const LABELS = 230;
const BARS = 500;
const ROW = 20;
const BAR = 13;
const PANEL_TITLE = 30;
const TOP = 46;
const BOTTOM = 14;
export const COLOURS = ["#2f7ed8", "#8a94a3", "#d9822b", "#8f6bc9", "#3d9e6a", "#69b58f", "#c2a52e", "#c75b7a"];

export const STYLE = `
  .paper { fill: #ffffff } text { fill: #24292f; font: 12px system-ui, sans-serif }
  .title { font-size: 15px; font-weight: 600 } .case { font-weight: 600 } .ours { font-weight: 600 }
  .spread { stroke: #24292f; stroke-width: 1.2 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } text { fill: #e6edf3 } .spread { stroke: #e6edf3 }
  }`;

/** The SVG of a group that `summarize` returns, in colours for light and dark backgrounds. */
export function renderPlot({ suite, model, cases, series }, title) {
  const peers = [...new Set(series.map(({ peer }) => peer))];
  const colourOf = (peer) => COLOURS[peers.indexOf(peer) % COLOURS.length];
  const panels = [];
  let top = TOP;
  for (const one of cases) {
    const bars = series.filter(({ figures }) => figures.has(one.name));
    panels.push(renderPanel(one, bars, top, colourOf));
    top += PANEL_TITLE + bars.length * ROW;
  }
  const height = top + BOTTOM;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${escapeXml(`${suite}, ${model}: ${title}`)}</title>`,
    `<style>${STYLE}\n</style>`,
    `<rect class="paper" width="${WIDTH}" height="${height}"/>`,
    `<text class="title" x="12" y="26">${escapeXml(`${suite}, ${model}`)}</text>`,
    ...panels,
    "</svg>\n",
  ].join("\n");
}

function renderPanel({ name, unit }, series, top, colourOf) {
  const figures = series.map((one) => one.figures.get(name));
  const largest = Math.max(...figures.map(({ median, high }) => Math.max(median, high))) || 1;
  const x = (value) => round(LABELS + (value / largest) * BARS);
  const heading = `<text class="case" x="12" y="${top + 18}">${escapeXml([name, unit].filter(Boolean).join(", "))}</text>`;
  const rows = series.flatMap(({ label, peer }, index) => {
    const { median, low, high } = figures[index];
    const y = top + PANEL_TITLE + index * ROW;
    const middle = y + ROW / 2;
    const style = peer === OURS ? ' class="ours"' : "";
    return [
      `<text${style} x="${LABELS - 8}" y="${middle + 4}" text-anchor="end">${escapeXml(label)}</text>`,
      `<rect x="${LABELS}" y="${middle - BAR / 2}" width="${round(x(median) - LABELS)}" height="${BAR}" rx="2" fill="${colourOf(peer)}"/>`,
      `<line class="spread" x1="${x(low)}" x2="${x(high)}" y1="${middle}" y2="${middle}"/>`,
      `<text${style} x="${round(Math.max(x(median), x(high)) + 6)}" y="${middle + 4}">${number(median)}</text>`,
    ];
  });
  return [heading, ...rows].join("\n");
}

const round = (value) => Math.round(value * 10) / 10;

/** Escapes a text for XML. */
export function escapeXml(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
