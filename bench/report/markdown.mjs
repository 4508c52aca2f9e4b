// Renders the report: Markdown with all figures, and a plot for each suite and model.
import { OURS } from "../data/peers.mjs";
import { SUITES } from "../data/suites.mjs";
import { derivedTables } from "./derived.mjs";
import { renderGoals } from "./goals.mjs";
import { isLoop, renderLoad, renderLoadPlot } from "./load.mjs";
import { renderServiceGoals } from "./service-goals.mjs";
import { summarize } from "./summary.mjs";
import { renderPlot } from "./svg.mjs";
import { agreementCell, figureCell, table } from "./table.mjs";

const GIBIBYTE = 2 ** 30;

/** `{ markdown, plots: Map(file name → SVG) }` for the records of a results file. */
export function renderReport(records) {
  const groups = summarize(records);
  const plots = new Map(groups.map((group) => [plotName(group), plotOf(group)]));
  const sections = groups.flatMap((group) => renderGroup(group, groups));
  const parts = [
    ...renderPreamble(records),
    ...renderGoals(groups),
    ...renderServiceGoals(groups),
    ...sections,
    ...renderProblems(records),
  ];
  return { markdown: `${parts.join("\n\n")}\n`, plots };
}

const plotName = ({ suite, model }) => `${suite}-${model}.svg`.replaceAll(/[^\w.-]+/g, "-");

function plotOf(group) {
  const suite = SUITES[group.suite];
  return suite?.layout === "load" ? renderLoadPlot(group, suite) : renderPlot(group, suite?.title ?? "");
}

function renderGroup(group, groups) {
  const { suite, model, series } = group;
  const { title, unit, ratios = true, layout } = SUITES[suite] ?? {};
  const cases = layout === "load" ? group.cases.filter(({ name }) => !isLoop(name, SUITES[suite])) : group.cases;
  const heading = `## ${suite}, ${model}\n\n${sentence(title ?? suite)}${unit ? ` In ${unit}.` : ""}`;
  const kinds = [...new Set(series.map(({ kind }) => kind))];
  const loops = layout === "load" ? renderLoad(group, SUITES[suite]) : [];
  const tables = kinds.flatMap((kind) => {
    if (cases.length === 0) return [];
    const rows = series.filter((one) => one.kind === kind);
    const base = ratios ? baseOf(rows, kind) : undefined;
    const head = [kind === "-" ? "" : kind, ...cases.map((one) => columnName(one, unit)), "as the reference"];
    const body = rows.map((one) => [
      one.peer === OURS ? `**${one.label}**` : one.label,
      ...cases.map(({ name }) => figureCell(one.figures.get(name), one === base ? undefined : base?.figures.get(name))),
      agreementCell(one.agreement),
    ]);
    return [table(head, body), ...derivedTables({ ...group, cases }, rows, kind, groups)];
  });
  return [heading, ...loops, ...tables, `![${suite}, ${model}](${plotName(group)})`];
}

/** The row that others of its kind are compared with: torch-t5 in the same precision, else in "exact". */
function baseOf(rows, kind) {
  const ours = rows.filter(({ peer }) => peer === OURS);
  return ours.find(({ precision }) => precision === kind) ?? ours[0];
}

const columnName = (one, unit) => (one.unit && one.unit !== unit ? `${one.name}, ${one.unit}` : one.name);
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

/** Title, machine, versions, and how to read the tables. */
function renderPreamble(records) {
  const run = records.find(({ type }) => type === "run");
  return [
    "# torch-t5 benchmarks",
    ...(run ? [renderMachine(run)] : []),
    ...renderVersions(records),
    [
      "A figure is the median of the trials' medians ± half the interquartile range. Each trial is a fresh process, and the peers' trials",
      "alternate. In parentheses: the time as a multiple of torch-t5's in the precision of the table. As the reference: rows of token ids,",
      "or some logits, compared with Hugging Face's in float32 (Δ: the largest difference). The limit: the time of only reading the",
      "weights, at the highest speed that the machine reached in the same run.",
    ].join("\n"),
  ];
}

function renderMachine({ started, machine, settings }) {
  const { processor, cores, flags, caches, memoryBytes, system, node, torchT5 } = machine;
  const { device = "cpu", threads, trials, repetitions } = settings;
  const facts = {
    processor: `${processor}, ${cores} cores`,
    instructions: flags.join(" "),
    caches: caches.join(", "),
    memory: `${(memoryBytes / GIBIBYTE).toFixed(1)} GiB`,
    system,
    Node: node,
    "torch-t5": torchT5,
    measured: `${started}: ${device}, ${threads} threads, ${trials} trials, ${repetitions} repetitions`,
  };
  return table(["machine", ""], Object.entries(facts), false);
}

/** `Map(peer → { package: version })`, of one suite or of all. */
export function versionsOf(records, suite) {
  const versions = new Map();
  for (const record of records) {
    if (record.type === "trial" && record.versions && (suite === undefined || record.suite === suite))
      versions.set(record.peer, { ...versions.get(record.peer), ...record.versions });
  }
  return versions;
}

function renderVersions(records) {
  const rows = [...versionsOf(records)]
    .map(([peer, packages]) => [
      peer,
      Object.entries(packages)
        .map((pair) => pair.join(" "))
        .join(", "),
    ])
    .filter(([, packages]) => packages !== "");
  return rows.length > 0 ? [table(["peer", "versions"], rows, false)] : [];
}

/** The failures with their reasons, and the time that each suite took. */
function renderProblems(records) {
  const failures = records.filter(({ type }) => type === "failure");
  const rows = failures.map(({ suite, model, peer, precision, message }) => [
    `${suite}, ${model}`,
    [peer, precision].filter((part) => part !== "-").join(" "),
    message.replaceAll("|", "\\|").replaceAll("\n", " "),
  ]);
  const seconds = new Map();
  for (const record of records) {
    if (record.type !== "trial") continue;
    seconds.set(record.suite, (seconds.get(record.suite) ?? 0) + record.seconds);
  }
  const durations = [...seconds].map(([suite, sum]) => [suite, `${sum.toFixed(0)} s`]);
  return [
    ...(rows.length > 0 ? ["## Not measured", table(["suite", "peer", "why"], rows, false)] : []),
    ...(durations.length > 0 ? ["## Duration", table(["suite", "all trials"], durations)] : []),
  ];
}
