// Reads and checks the arguments of the command line.
import { parseArgs } from "node:util";
import { MODELS } from "./data/models.mjs";
import { OURS, PEERS, PRECISIONS } from "./data/peers.mjs";
import { SUITES } from "./data/suites.mjs";

const OPTIONS = {
  peers: { type: "string" },
  precisions: { type: "string" },
  models: { type: "string", default: "t5-small" },
  device: { type: "string", default: "cpu" },
  threads: { type: "string", default: "2" },
  trials: { type: "string", default: "5" },
  repetitions: { type: "string", default: "15" },
  timeout: { type: "string", default: "1800" },
  output: { type: "string" },
  quick: { type: "boolean", default: false },
  docs: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
};

/** The suites that run where none is named. */
const DEFAULT_SUITES = Object.keys(SUITES).filter((name) => !SUITES[name].onRequest);

export const USAGE = `npm run bench -- [suite ...] [options]      measure, and write a report
npm run bench -- prepare [suite ...]        only make the models that the suites read
npm run bench -- report FILE.jsonl          write a report of a results file again
npm run bench -- docs FILE.jsonl            write the tables of service and server into docs/

suites         ${Object.keys(SUITES).join(", ")}
--peers        ${Object.keys(PEERS).join(",")} (default: all; always includes ${OURS})
--precisions   ${PRECISIONS.join(",")} (default: all)
--models       ${Object.keys(MODELS).join(",")} (default: t5-small)
--device       cpu, cuda or cuda:N (default: cpu); on CUDA only torch-t5 and Hugging Face are measured
--threads      threads of every peer (default: 2)
--trials       processes for each peer and precision (default: 5)
--repetitions  forward calls per trial; slower calls are repeated less often (default: 15)
--quick        one trial of one repetition, and short windows in the suites service and server
--docs         write the tables of service and server into docs/ after the run
--timeout      seconds after which a trial is aborted (default: 1800)
--output       a directory for the results (default: bench/.work/results/<date-time>)
`;

/** `{ command: "help" }`, `{ command: "report" or "docs", file, output }`, or `{ command: "run", suites, peers, ... }`. Throws an Error. */
export function readArguments(args) {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: OPTIONS });
  if (values.help) return { command: "help" };
  const [command, file] = positionals;
  if (command === "report" || command === "docs") {
    if (positionals.length !== 2) throw new Error(`Expected one results file for ${command}`);
    return { command, file, output: values.output };
  }
  const isPreparation = positionals[0] === "prepare";
  const suites = isPreparation ? positionals.slice(1) : positionals;
  const peers = listed("peer", values.peers, Object.keys(PEERS));
  return {
    command: isPreparation ? "prepare" : "run",
    suites: suites.length > 0 ? known("suite", suites, Object.keys(SUITES)) : DEFAULT_SUITES,
    peers: peers.includes(OURS) ? peers : [OURS, ...peers],
    precisions: listed("precision", values.precisions, PRECISIONS),
    models: listed("model", values.models, Object.keys(MODELS)),
    device: device(values.device),
    threads: count("threads", values.threads),
    trials: values.quick ? 1 : count("trials", values.trials),
    repetitions: values.quick ? 1 : count("repetitions", values.repetitions),
    timeout: count("timeout", values.timeout),
    output: values.output,
    quick: values.quick,
    docs: values.docs,
  };
}

function listed(what, value, all) {
  return value === undefined ? all : known(what, value.split(","), all);
}

function known(what, names, all) {
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined) throw new Error(`Expected one of ${all.join(", ")} for ${what} but received ${unknown}`);
  return [...new Set(names)];
}

function device(value) {
  if (!/^(cpu|cuda(:\d+)?)$/.test(value)) {
    throw new Error(`Expected cpu, cuda or cuda:N for device but received ${value}`);
  }
  return value;
}

function count(name, value) {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) {
    throw new Error(`Expected a positive integer for ${name} but received ${value}`);
  }
  return number;
}
