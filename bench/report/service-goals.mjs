// The table of the goals of services: what was measured, and whether the goal is met.
import { SERVICE_GOALS } from "../data/goals.mjs";
import { kindOfPrecision } from "../data/peers.mjs";
import { medianRatio } from "./statistics.mjs";
import { labelOf } from "./summary.mjs";
import { number, table } from "./table.mjs";

/** The sections of the goals, one for each suite and model that was measured. */
export function renderServiceGoals(groups) {
  return groups.flatMap((group) => {
    const goals = serviceGoals(group);
    return goals ? [`## goals of ${group.suite}, ${group.model}\n\n${goals}`] : [];
  });
}

/** The table of a group's goals; undefined where none was measured. */
export function serviceGoals(group) {
  const rows = SERVICE_GOALS.filter(({ suite }) => suite === group.suite).flatMap((goal) => rowOf(goal, group));
  return rows.length > 0 ? table(["goal", "precision", "limit", "measured", "met"], rows) : undefined;
}

/** One row, or none where the goal was not measured. */
function rowOf(goal, group) {
  const { name = goal.case, precision, atLeast, atMost, unit = "" } = goal;
  const { value, of } = goal.of ? multiple(goal, group) : { value: figureOf(group, goal, goal)?.median };
  if (value === undefined) return [];
  const isMet = atLeast === undefined ? value <= atMost : value >= atLeast;
  const suffix = of ? "×" : unit;
  const limit = atLeast === undefined ? `≤ ${atMost}${suffix}` : `≥ ${atLeast}${suffix}`;
  return [[name, precision, of ? `${limit} ${of}` : limit, `${number(value)}${suffix}`, isMet ? "yes" : "**no**"]];
}

/** The figure as a multiple of another one, `{ value, of }`. */
function multiple(goal, group) {
  const own = figureOf(group, goal, goal);
  const compare = (other) => (goal.inverse ? medianRatio(other, own) : medianRatio(own, other));
  if (goal.of.peer !== "best") {
    const other = { case: goal.case, peer: goal.peer, ...goal.of };
    const of = goal.of.name ?? labelOf(goal.suite, goal.of.peer);
    return { value: compare(figureOf(group, other, goal)), of };
  }
  const kind = kindOfPrecision(goal.precision);
  const others = group.series.filter((one) => one.peer !== goal.peer && one.kind === kind);
  const ratios = others.flatMap(({ peer, figures }) => {
    const value = compare(figures.get(goal.case));
    return value === undefined ? [] : [{ value, of: labelOf(goal.suite, peer) }];
  });
  return ratios.sort((a, b) => a.value - b.value)[0] ?? { value: undefined };
}

function figureOf({ series }, { peer, case: name }, { precision }) {
  return series.find((one) => one.peer === peer && one.precision === precision)?.figures.get(name);
}
