// Which trials are run, and in which order.
import { kindOfPrecision, MACHINE, PEERS, peerOn } from "../data/peers.mjs";
import { SUITES } from "../data/suites.mjs";

/**
 * Every trial that was asked for: `{ suite, model, peer, precision, trial, ... }`. All peers run their first trial before any runs its
 * second, and each round begins with another one: what slows the machine for a while slows them alike.
 */
export function planTrials({ suites, models, trials, ...asked }) {
  return suites.flatMap((name) => {
    const suite = SUITES[name];
    return (suite.models ?? models).flatMap((model) => {
      const series = seriesOf(suite, asked);
      return Array.from({ length: trials }, (_, trial) =>
        rotate(series, trial)
          .filter(({ mostTrials }) => trial < mostTrials)
          .map((one) => ({ ...one, suite: name, model, trial })),
      ).flat();
    });
  });
}

/** The peers of a suite, each in every precision that was asked for. */
function seriesOf(suite, { peers, precisions, device }) {
  if (suite.peers) {
    if (device !== "cpu") return [];
    return Object.entries(suite.peers).map(([peer, { program }]) => ({
      ...{ peer, precision: "-", environment: "project", program, exports: {}, mostTrials: Number.POSITIVE_INFINITY },
    }));
  }
  const candidates = { machine: MACHINE, ...Object.fromEntries(peers.map((peer) => [peer, PEERS[peer]])) };
  return Object.entries(candidates)
    .map(([name, peer]) => [name, peerOn(peer, device)])
    .filter(([, peer]) => peer?.kinds.includes(suite.kind))
    .flatMap(([peer, { environment, program, precisions: own, mostTrials = Number.POSITIVE_INFINITY }]) =>
      Object.entries(own)
        .filter(([precision]) => precision === "-" || isAsked(precision, peer, precisions))
        .map(([precision, exports]) => ({ peer, precision, environment, program, exports, mostTrials })),
    );
}

/** Peers have no exact mode: their float32 is measured beside it. */
function isAsked(precision, peer, precisions) {
  if (precisions.includes(precision)) return true;
  return peer !== "torch-t5" && precisions.some((one) => kindOfPrecision(one) === precision);
}

function rotate(list, by) {
  const start = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
