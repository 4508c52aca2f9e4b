// `torch-t5 doctor`: what was found on this machine, and what to run where something is wrong.
import { arch, platform, versions } from "node:process";
import { demoModel, type RuntimeInfo, runtimeInfo, T5ForConditionalGeneration } from "../../index.js";
import { type Command, EXIT, parse, UsageError } from "../terminal/command.js";
import { messageOf } from "../terminal/failure.js";
import { print } from "../terminal/output.js";
import { findPython, packageVersion } from "../terminal/package.js";

/** "note": worth knowing, but nothing is wrong. */
interface Finding {
  readonly state: "ok" | "note" | "problem";
  readonly about: string;
  readonly detail: string;
}

const OLDEST_NODE = [20, 19] as const;
const STATE_WIDTH = 9;
const ABOUT_WIDTH = 16;

export const doctorCommand: Command = {
  name: "doctor",
  summary: "What was found on this machine, and what to run where something is wrong",
  help: `torch-t5 doctor

Looks at Node.js, the addon, libtorch, devices, threads and SIMD instructions, the Python that exports models, and the
embedded model. Exit code 1 where something is wrong; the line says what to run.`,

  async run(args) {
    const { positionals } = parse(args, {});
    if (positionals.length > 0) throw new UsageError(`Expected no arguments but received ${positionals.length}`);
    const findings: Finding[] = [];
    const report = (...found: readonly Finding[]) => {
      findings.push(...found);
      for (const { state, about, detail } of found) {
        print(`${state.padEnd(STATE_WIDTH)}${about.padEnd(ABOUT_WIDTH)}${detail}`);
      }
    };
    report(checkNode(), { state: "ok", about: "torch-t5", detail: `${packageVersion()} on ${platform} ${arch}` });
    report(...checkRuntime());
    report(checkPython());
    report(await checkDemoModel());
    const problems = findings.filter(({ state }) => state === "problem").length;
    print(problems === 0 ? "Everything needed is here." : `Problems: ${problems}`);
    return problems === 0 ? EXIT.ok : EXIT.failure;
  },
};

function checkNode(): Finding {
  const [major = 0, minor = 0] = versions.node.split(".").map(Number);
  const isNewEnough = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  if (isNewEnough) return { state: "ok", about: "Node.js", detail: versions.node };
  const detail = `${versions.node} is older than ${OLDEST_NODE.join(".")}; install a newer one from https://nodejs.org`;
  return { state: "problem", about: "Node.js", detail };
}

function checkRuntime(): readonly Finding[] {
  let info: RuntimeInfo;
  try {
    info = runtimeInfo();
  } catch (error) {
    return [{ state: "problem", about: "libtorch", detail: messageOf(error) }];
  }
  const { libtorch, addonPath, cudaDevices } = info;
  const devices = cudaDevices.length === 0 ? "cpu (no CUDA device)" : ["cpu", ...cudaDevices].join(", ");
  return [
    { state: "ok", about: "libtorch", detail: `${libtorch.version}, ${libtorch.source}: ${libtorch.directory}` },
    { state: "ok", about: "addon", detail: `built for this libtorch: ${addonPath}` },
    { state: "ok", about: "devices", detail: devices },
    {
      state: "ok",
      about: "threads",
      detail: `${info.intraOpThreads} per operator, ${info.interOpThreads} side by side (${info.parallelBackend})`,
    },
    { state: "ok", about: "SIMD", detail: info.cpuCapability },
  ];
}

function checkPython(): Finding {
  const about = "Python";
  const python = findPython();
  const advice = "only `torch-t5 export` needs it; run `npx torch-t5 setup --export`";
  if (python === undefined) return { state: "note", about, detail: `none found; ${advice}` };
  const where = `${python.version}: ${python.executable}`;
  if (python.missing.length === 0) return { state: "ok", about, detail: `${where} (can export models)` };
  return { state: "note", about, detail: `${where} lacks ${python.missing.join(", ")}; ${advice}` };
}

async function checkDemoModel(): Promise<Finding> {
  const about = "embedded model";
  try {
    const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu" });
    const { logits } = await t5.forward("spell number: 7");
    await t5.dispose();
    if (!logits.data.every(Number.isFinite))
      return { state: "problem", about, detail: "gives logits that are no numbers" };
    return { state: "ok", about, detail: `every file is intact, and it runs: ${demoModel}` };
  } catch (error) {
    return { state: "problem", about, detail: messageOf(error) };
  }
}
