// The report: Markdown of all figures, and a plot for each suite and model.
import { OURS } from "../data/peers.mjs";
import { SUITES } from "../data/suites.mjs";
import { derivedTables } from "./derived.mjs";
import { renderPreamble, renderProblems } from "./preamble.mjs";
import { summarise } from "./summary.mjs";
import { renderPlot } from "./svg.mjs";
import { agreementCell, figureCell, table } from "./table.mjs";

/** `{ markdown, plots: Map(file name → SVG) }` of the records of a results file. */
export function renderReport(records) {
  const groups = summarise(records);
  const plots = new Map(groups.map((group) => [plotName(group), renderPlot(group, SUITES[group.suite]?.title ?? "")]));
  const sections = groups.flatMap((group) => renderGroup(group, groups));
  const parts = [...renderPreamble(records), ...sections, ...renderProblems(records)];
  return { markdown: `${parts.join("\n\n")}\n`, plots };
}

const plotName = ({ suite, model }) => `${suite}-${model}.svg`.replaceAll(/[^\w.-]+/g, "-");

function renderGroup(group, groups) {
  const { suite, model, cases, series } = group;
  const { title, unit, ratios = true } = SUITES[suite] ?? {};
  const heading = `## ${suite}, ${model}\n\n${sentence(title ?? suite)}${unit ? ` In ${unit}.` : ""}`;
  const kinds = [...new Set(series.map(({ kind }) => kind))];
  const tables = kinds.flatMap((kind) => {
    const rows = series.filter((one) => one.kind === kind);
    const base = ratios ? baseOf(rows, kind) : undefined;
    const head = [kind === "-" ? "" : kind, ...cases.map((one) => columnName(one, unit)), "as the reference"];
    const body = rows.map((one) => [
      one.peer === OURS ? `**${one.label}**` : one.label,
      ...cases.map(({ name }) => figureCell(one.figures.get(name), one === base ? undefined : base?.figures.get(name))),
      agreementCell(one.agreement),
    ]);
    return [table(head, body), ...derivedTables(group, rows, kind, groups)];
  });
  return [heading, ...tables, `![${suite}, ${model}](${plotName(group)})`];
}

/** What figures of a kind are compared with: torch-t5 in that very precision, else its exact mode. */
function baseOf(rows, kind) {
  const ours = rows.filter(({ peer }) => peer === OURS);
  return ours.find(({ precision }) => precision === kind) ?? ours[0];
}

const columnName = (one, unit) => (one.unit && one.unit !== unit ? `${one.name}, ${one.unit}` : one.name);
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
