// Summarizes records: for each suite and model, the series (a peer in a precision), with a figure for each case.
import { kindOfPrecision, OURS, PEERS, precisionsOf } from "../data/peers.mjs";
import { SUITES } from "../data/suites.mjs";
import { largestDifference, median, quartiles, spread } from "./statistics.mjs";

/** The series that the results of others are compared with: the first of these that was measured. */
const REFERENCES = [`hf float32`, `${OURS} exact`, "rust -"];
/** With fewer trials, the spread is that of single calls instead of trials. */
const MIN_TRIALS = 3;
/** Relative to the largest number. Float32 sums in another order differ by less. */
const TOLERANCE = 1e-3;

/** `[{ suite, model, cases: [{ name, unit }], series: [{ peer, precision, kind, label, figures, agreement }] }]`, in order. */
export function summarize(records) {
  const groups = new Map();
  for (const record of records) {
    if (record.type !== "sample") continue;
    const key = `${record.suite} ${record.model}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(record);
  }
  return [...groups.values()].map(summarizeGroup);
}

function summarizeGroup(samples) {
  const [{ suite, model }] = samples;
  const units = new Map(samples.map((sample) => [sample.case, sample.unit]));
  const keys = [...new Set(samples.map(keyOf))].sort((a, b) => rank(a) - rank(b));
  const of = (key) => samples.filter((sample) => keyOf(sample) === key);
  const reference = of(REFERENCES.find((key) => keys.includes(key)));
  const series = keys.map((key) => {
    const own = of(key);
    const [{ peer, precision }] = own;
    const kind = kindOfPrecision(precision);
    const label = [labelOf(suite, peer), precision].filter((part) => part !== "-").join(" ");
    const agreement = own === reference ? undefined : compare(own, reference, kind);
    return { peer, precision, kind, label, figures: figuresOf(own), agreement };
  });
  return { suite, model, cases: [...units].map(([name, unit]) => ({ name, unit })), series };
}

const keyOf = ({ peer, precision }) => `${peer} ${precision}`;

/** The order of series: the peers in the order of their list, and the precisions of each in theirs. */
function rank(key) {
  const [peer, precision] = key.split(" ");
  const at = Object.keys(PEERS).indexOf(peer);
  return at < 0 ? -1 : at * 10 + precisionsOf(PEERS[peer]).indexOf(precision);
}

/** The name of a peer in the tables of a suite. */
export function labelOf(suite, peer) {
  const variant = PEERS[peer]?.variants?.[SUITES[suite]?.kind];
  return SUITES[suite]?.peers?.[peer]?.label ?? variant?.label ?? PEERS[peer]?.label ?? peer;
}

/** `Map(case → { median, spread, low, high, count, best, trials })`, over the medians of trials, or over calls where trials are few. */
function figuresOf(samples) {
  const figures = new Map();
  for (const name of new Set(samples.map((sample) => sample.case))) {
    const trials = samples.filter((sample) => sample.case === name);
    const medians = trials.map((trial) => median(trial.samples));
    const values = medians.length < MIN_TRIALS ? trials.flatMap((trial) => trial.samples) : medians;
    const [low, high] = quartiles(values);
    figures.set(name, {
      median: median(medians),
      spread: spread(values),
      low,
      high,
      count: trials.length,
      best: Math.min(...trials.flatMap((trial) => trial.samples)),
      trials: new Map(trials.map((one, index) => [one.trial, medians[index]])),
    });
  }
  return figures;
}

/** Compares the results of a series with the reference's: `{ rows, equalRows, difference, isPromised, isKept }`. */
function compare(samples, reference, kind) {
  const result = { rows: 0, equalRows: 0, difference: undefined, isKept: true };
  let scale = 1;
  for (const { case: name, check } of samples) {
    const other = reference.find((sample) => sample.case === name)?.check;
    if (check?.rows && other?.rows) {
      result.rows += other.rows.length;
      result.equalRows += other.rows.filter((row, index) => row === check.rows[index]).length;
    }
    if (check?.numbers && other?.numbers) {
      const difference = largestDifference(check.numbers, other.numbers);
      result.difference = Math.max(result.difference ?? 0, difference);
      scale = Math.max(scale, ...other.numbers.map(Math.abs));
    }
  }
  if (result.rows === 0 && result.difference === undefined) return undefined;
  const isPromised = kind === "float32" || kind === "-";
  const isSame = result.equalRows === result.rows && (result.difference ?? 0) <= TOLERANCE * scale;
  return { ...result, isPromised, isKept: !isPromised || isSame };
}
