// Tables that are derived from the figures: work per second, shares of the machine's limit, multiples of the weights' size, and one
// case against another.
import { countReadWeights, countStepWeights, countWeights, MODELS, WEIGHT_BYTES } from "../data/models.mjs";
import { SUITES } from "../data/suites.mjs";
import { number, table } from "./table.mjs";

const MEGABYTE = 1e6;
const MILLISECONDS = 1000;

/** The derived tables of a suite, for the rows of one kind of precision. */
export function derivedTables({ suite, model, cases }, rows, kind, groups) {
  const data = SUITES[suite];
  const sizes = MODELS[model];
  if (!data) return [];
  const dataOf = (name) => data.cases.find((one) => one.name === name);
  const build = (title, cellOf) => {
    const body = rows.map((one) => [one.label, ...cases.map(({ name }) => cell(one.figures.get(name), name))]);
    function cell(figure, name) {
      return (figure && cellOf(figure.median, dataOf(name), name, figure)) ?? "";
    }
    return body.some((row) => row.slice(1).some((text) => text !== ""))
      ? [table([title, ...cases.map(({ name }) => name)], body)]
      : [];
  };
  const work = data.cases.find((one) => one.work)?.work.of;
  const limit = sizes && bytesPerMillisecond(model, kind, groups);
  const tables = [];
  if (work)
    tables.push(...build(`${work} per second`, (ms, one) => one?.work && number((one.work.count * MILLISECONDS) / ms)));
  if (limit)
    tables.push(...build("share of the limit", (ms, one) => shareOfLimit(ms, data.kind, one, sizes, kind, limit)));
  if (suite === "memory" && sizes) {
    const bytes = countWeights(sizes).all * WEIGHT_BYTES[kind];
    tables.push(...build("times the weights' size", (megabytes) => ((megabytes * MEGABYTE) / bytes).toFixed(2)));
  }
  if (suite === "bandwidth" && sizes) {
    const bytes = (name) => countStepWeights(sizes) * WEIGHT_BYTES[name];
    tables.push(
      ...build("GB per second, at best", (_time, _case, name, { best }) => (bytes(name) / best / MEGABYTE).toFixed(1)),
    );
  }
  if (data.against) tables.push(...against(rows, data.against));
  return tables;
}

/** The machine's highest reading speed in the same run, in bytes per millisecond, for as many bytes as a step reads weights. */
function bytesPerMillisecond(model, kind, groups) {
  const measured = groups.find((group) => group.suite === "bandwidth" && group.model === model);
  const figure = measured?.series[0]?.figures.get(kind);
  return figure && (countStepWeights(MODELS[model]) * WEIGHT_BYTES[kind]) / figure.best;
}

/** The time of only reading the weights, as a share of the measured time. */
function shareOfLimit(milliseconds, suiteKind, one, sizes, kind, limit) {
  const weights = one && countReadWeights(suiteKind, one, sizes);
  return weights && `${(((weights * WEIGHT_BYTES[kind]) / limit / milliseconds) * 100).toFixed(0)} %`;
}

/** One case's time as a share of another's. */
function against(rows, { measured, baseline }) {
  const body = rows.flatMap((one) => {
    const [time, other] = [one.figures.get(measured), one.figures.get(baseline)];
    return time && other ? [[one.label, `${((time.median / other.median) * 100).toFixed(0)} %`]] : [];
  });
  return body.length > 0 ? [table([`${measured}, of ${baseline}`, "share of the time"], body)] : [];
}
