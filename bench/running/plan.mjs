// Plans which trials run, and in which order.
import { kindOfPrecision, MACHINES, PEERS, peerOn } from "../data/peers.mjs";
import { SUITES } from "../data/suites.mjs";

/**
 * The trials in order: `{ suite, model, peer, precision, trial, ... }`. All peers run their first trial before any runs its second, and
 * each round begins with another peer, so that a slow phase of the machine affects all of them. The series that a suite measures
 * `afterwards` have one trial each, after all rounds.
 */
export function planTrials({ suites, models, trials, ...settings }) {
  return suites.flatMap((name) => {
    const suite = SUITES[name];
    return (suite.models ?? models).flatMap((model) => {
      const { afterwards = [] } = suite;
      const named = new Map(seriesOf(suite, settings).map((one) => [`${one.peer} ${one.precision}`, one]));
      const series = [...named].filter(([key]) => !afterwards.includes(key)).map(([, one]) => one);
      const rounds = Array.from({ length: trials }, (_, trial) =>
        rotate(series, trial)
          .filter(({ maxTrials }) => trial < maxTrials)
          .map((one) => ({ ...one, trial })),
      ).flat();
      const last = afterwards.flatMap((key) => (named.has(key) ? [{ ...named.get(key), trial: 0 }] : []));
      return [...rounds, ...last].map((one) => ({ ...one, suite: name, model }));
    });
  });
}

/** The peers of a suite, each in every requested precision. */
function seriesOf(suite, { peers, precisions, device }) {
  if (suite.peers) {
    if (device !== "cpu") return [];
    return Object.entries(suite.peers).map(([peer, { program }]) => ({
      ...{ peer, precision: "-", environment: "project", program, exports: {}, maxTrials: Number.POSITIVE_INFINITY },
    }));
  }
  const candidates = { ...MACHINES, ...Object.fromEntries(peers.map((peer) => [peer, PEERS[peer]])) };
  return Object.entries(candidates)
    .map(([name, peer]) => [name, peerOn(peer, device, suite.kind)])
    .filter(([, peer]) => peer?.kinds.includes(suite.kind))
    .flatMap(([peer, { precisions: own, maxTrials = Number.POSITIVE_INFINITY, ...settings }]) => {
      const { environment, program, service, only, maxSeconds } = settings;
      return Object.entries(own)
        .filter(([precision]) => precision === "-" || isRequested(precision, peer, precisions))
        .map(([precision, exports]) => ({
          ...{ peer, precision, environment, program, service, exports, only, maxTrials, maxSeconds },
        }));
    });
}

/** "exact" also requests the float32 of peers, which don't have "exact". */
function isRequested(precision, peer, precisions) {
  if (precisions.includes(precision)) return true;
  return peer !== "torch-t5" && precisions.some((one) => kindOfPrecision(one) === precision);
}

function rotate(list, by) {
  const start = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
