// What a report begins and ends with: the machine, the versions, how to read it; what failed, and how long it took.
import { table } from "./table.mjs";

const GIBIBYTE = 2 ** 30;

/** Title, machine, versions, and how to read the tables. */
export function renderPreamble(records) {
  const run = records.find(({ type }) => type === "run");
  return [
    "# torch-t5 benchmarks",
    ...(run ? [renderMachine(run)] : []),
    ...renderVersions(records),
    [
      "A figure is the median of trials' medians ± half the interquartile range; trials are fresh processes, peers interleaved. In",
      "parentheses: how many times the time of torch-t5 in the precision of the table's first column. As the reference: rows of token ids,",
      "or some logits, compared with Hugging Face's in float32 (Δ: the largest difference). The limit: the time that reading the weights",
      "takes at the highest speed that the machine reached in the same run.",
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

function renderVersions(records) {
  const versions = new Map();
  for (const record of records) {
    if (record.type === "trial" && record.versions)
      versions.set(record.peer, { ...versions.get(record.peer), ...record.versions });
  }
  const rows = [...versions]
    .map(([peer, packages]) => [
      peer,
      Object.entries(packages)
        .map((pair) => pair.join(" "))
        .join(", "),
    ])
    .filter(([, packages]) => packages !== "");
  return rows.length > 0 ? [table(["peer", "versions"], rows, false)] : [];
}

/** What was not measured and why, and how long each suite took. */
export function renderProblems(records) {
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
    ...(durations.length > 0 ? ["## Duration", table(["suite", "all its trials"], durations)] : []),
  ];
}
