// The table of the goals: what was measured, whether the goal is met, and how much faster than Hugging Face.
import { COMPILED, COPY, EAGER, GOALS, GOALS_SUITE, product } from "../data/goals.mjs";
import { countFlops, countStepWeights, MODELS, WEIGHT_BYTES } from "../data/models.mjs";
import { OURS } from "../data/peers.mjs";
import { SUITES } from "../data/suites.mjs";
import { number, table } from "./table.mjs";

const MILLISECONDS = 1000;
const GIGA = 1e9;
const TERA = 1e12;

/** The section of the goals, or nothing where their suite was not measured. */
export function renderGoals(groups) {
  return groups
    .filter(({ suite }) => suite === GOALS_SUITE)
    .map((group) => {
      const head = [
        "goal",
        "precision",
        "limit",
        "measured",
        "met",
        "times Hugging Face's speed",
        "times CUDA graphs' speed",
      ];
      const rows = GOALS.map((goal) => rowOf(goal, group));
      return `## goals, ${group.model}\n\n${table(head, rows)}`;
    });
}

/** `[goal, precision, limit, measured, met, against eager, against CUDA graphs]`. The last five are empty where nothing was measured. */
export function rowOf(goal, group) {
  const { name, limit, value, unit } = measure(goal, group);
  const faster = (peer) => {
    const [ours, theirs] = [OURS, peer].map((one) => figureOf(group, one, goal.precision, goal.case));
    return ours && theirs ? `${number(theirs / ours)}` : "";
  };
  const isMet = goal.timesFaster ? value >= limit : value <= limit;
  const measured = value === undefined ? "" : `${number(value)}${unit}`;
  const met = value === undefined ? "" : isMet ? "yes" : "**no**";
  const bound = `${goal.timesFaster ? "≥" : "≤"} ${limit}${unit}`;
  return [name, goal.precision, bound, measured, met, faster(EAGER), faster(COMPILED)];
}

function measure(goal, group) {
  const { precision, case: name, tokens = 1 } = goal;
  const milliseconds = figureOf(group, OURS, precision, name);
  const perCall = milliseconds && milliseconds / tokens;
  const what = tokens > 1 ? `${name}, per token` : name;
  const ratio = (to) => (perCall && to ? perCall / to : undefined);
  if (goal.milliseconds) return { name: what, limit: goal.milliseconds, value: perCall, unit: " ms" };
  if (goal.timesFaster) {
    const theirs = figureOf(group, EAGER, precision, name);
    const value = theirs && milliseconds ? theirs / milliseconds : undefined;
    return { name: `${what}, against Hugging Face eager`, limit: goal.timesFaster, value, unit: "×" };
  }
  if (goal.timesReading) {
    const speed = figureOf(group, "device", "-", COPY);
    const bytes = countStepWeights(MODELS[group.model]) * WEIGHT_BYTES[precision];
    const reading = speed && (bytes / (speed * GIGA)) * MILLISECONDS;
    return { name: `${what}, against reading the weights`, limit: goal.timesReading, value: ratio(reading), unit: "×" };
  }
  if (goal.timesMultiplying) {
    const speed = figureOf(group, "device", "-", product(precision));
    const shape = SUITES[GOALS_SUITE].cases.find((one) => one.name === name);
    const multiplying = speed && (countFlops(shape, MODELS[group.model]) / (speed * TERA)) * MILLISECONDS;
    return {
      name: `${what}, against products only`,
      limit: goal.timesMultiplying,
      value: ratio(multiplying),
      unit: "×",
    };
  }
  const ratios = SUITES[GOALS_SUITE].cases.flatMap((one) => {
    const [own, other] = [precision, goal.than].map((kind) => figureOf(group, OURS, kind, one.name));
    return own && other ? [{ name: one.name, ratio: own / other }] : [];
  });
  const worst = ratios.reduce((most, one) => (most && most.ratio >= one.ratio ? most : one), undefined);
  const suffix = worst ? `, worst: ${worst.name}` : "";
  return { name: `time, against ${goal.than}${suffix}`, limit: goal.slowdown, value: worst?.ratio, unit: "×" };
}

/** The median of a series' case; undefined where it was not measured. */
function figureOf({ series }, peer, precision, name) {
  return series.find((one) => one.peer === peer && one.precision === precision)?.figures.get(name)?.median;
}
