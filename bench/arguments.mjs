// What the command line asks for, checked.
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
  help: { type: "boolean", default: false },
};

export const USAGE = `npm run bench -- [suite ...] [options]      measures, and reports
npm run bench -- report FILE.jsonl          reports again from a results file

suites         ${Object.keys(SUITES).join(", ")}
--peers        ${Object.keys(PEERS).join(",")} (default: all; ${OURS} is always among them)
--precisions   ${PRECISIONS.join(",")} (default: all)
--models       ${Object.keys(MODELS).join(",")} (default: t5-small)
--device       cpu, cuda or cuda:N, where torch-t5 and Hugging Face alone are measured (default: cpu)
--threads      threads of every peer (default: 2)
--trials       fresh processes of each (default: 5)
--repetitions  calls of a forward in one trial, fewer of what takes longer (default: 15)
--timeout      seconds after which a trial is given up (default: 1800)
--output       a directory for the results (default: bench/.work/results/<date-time>)
`;

/** `{ command: "help" }`, `{ command: "report", file, output }`, or `{ command: "run", suites, peers, ... }`; throws on what it can't be. */
export function readArguments(args) {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: OPTIONS });
  if (values.help) return { command: "help" };
  if (positionals[0] === "report") {
    if (positionals.length !== 2) throw new Error("Expected one results file for report");
    return { command: "report", file: positionals[1], output: values.output };
  }
  const peers = listed("peer", values.peers, Object.keys(PEERS));
  return {
    command: "run",
    suites: positionals.length > 0 ? known("suite", positionals, Object.keys(SUITES)) : Object.keys(SUITES),
    peers: peers.includes(OURS) ? peers : [OURS, ...peers],
    precisions: listed("precision", values.precisions, PRECISIONS),
    models: listed("model", values.models, Object.keys(MODELS)),
    device: device(values.device),
    threads: count("threads", values.threads),
    trials: count("trials", values.trials),
    repetitions: count("repetitions", values.repetitions),
    timeout: count("timeout", values.timeout),
    output: values.output,
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
