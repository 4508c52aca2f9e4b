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
      const head = ["goal", "precision", "limit", "measured", "met", "× eager", "× CUDA graphs"];
      const text =
        "The last columns are the speed as a multiple of Hugging Face's, eager and compiled with CUDA graphs.";
      return `## goals, ${group.model}\n\n${text}\n\n${table(
        head,
        GOALS.map((goal) => rowOf(goal, group)),
      )}`;
    });
}

/** `[goal, precision, limit, measured, met, against eager, against CUDA graphs]`. The last four are empty where nothing was measured. */
function rowOf(goal, group) {
  const { name, isAtLeast = false, limit, of, value, unit } = measure(goal, group);
  const faster = (peer) => {
    const [ours, theirs] = [OURS, peer].map((one) => figureOf(group, one, goal.precision, goal.case));
    return ours && theirs ? number(theirs / ours) : "";
  };
  const isMet = isAtLeast ? value >= limit : value <= limit;
  const measured = value === undefined ? ["", ""] : [`${number(value)}${unit}`, isMet ? "yes" : "**no**"];
  const bound = `${isAtLeast ? "≥" : "≤"} ${limit}${unit}${of ? ` ${of}` : ""}`;
  return [name, goal.precision, bound, ...measured, faster(EAGER), faster(COMPILED)];
}

/** `{ name, limit, of, value, unit }`, where the limit is a multiple of `of`; `value` is undefined if it was not measured. */
function measure(goal, group) {
  const { precision, case: name, tokens = 1 } = goal;
  const sizes = MODELS[group.model];
  const milliseconds = figureOf(group, OURS, precision, name);
  const perCall = milliseconds && milliseconds / tokens;
  const what = tokens > 1 ? `${name}, per token` : name;
  /** The time as a multiple of that of an amount of work, at the speed that the device reached. */
  const against = (work, speed) => perCall && speed && perCall / ((work / speed) * MILLISECONDS);
  if (goal.milliseconds) return { name: what, limit: goal.milliseconds, value: perCall, unit: " ms" };
  if (goal.timesFaster) {
    const theirs = figureOf(group, EAGER, precision, name);
    const value = theirs && milliseconds && theirs / milliseconds;
    return { name: what, isAtLeast: true, limit: goal.timesFaster, of: "eager's speed", value, unit: "×" };
  }
  if (goal.timesReading) {
    const gigabytes = (countStepWeights(sizes) * WEIGHT_BYTES[precision]) / GIGA;
    const value = against(gigabytes, figureOf(group, "device", "-", COPY));
    return { name: what, limit: goal.timesReading, of: "reading weights", value, unit: "×" };
  }
  if (goal.timesMultiplying) {
    const shape = SUITES[GOALS_SUITE].cases.find((one) => one.name === name);
    const value = against(countFlops(shape, sizes) / TERA, figureOf(group, "device", "-", product(precision)));
    return { name: what, limit: goal.timesMultiplying, of: "products only", value, unit: "×" };
  }
  const ratios = SUITES[GOALS_SUITE].cases.flatMap((one) => {
    const [own, other] = [precision, goal.than].map((kind) => figureOf(group, OURS, kind, one.name));
    return own && other ? [{ slowest: one.name, value: own / other }] : [];
  });
  const { slowest, value } = ratios.sort((a, b) => b.value - a.value)[0] ?? { slowest: "every case" };
  return { name: slowest, limit: goal.slowdown, of: `${goal.than}'s time`, value, unit: "×" };
}

/** The median of a series' case; undefined where it was not measured. */
function figureOf({ series }, peer, precision, name) {
  return series.find((one) => one.peer === peer && one.precision === precision)?.figures.get(name)?.median;
}
