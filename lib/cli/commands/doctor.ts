// `torch-t5 doctor`: checks the installation, and prints what to run where something is wrong.
import { arch, platform, versions } from "node:process";
import { demoModel, type RuntimeInfo, runtimeInfo, T5ForConditionalGeneration } from "../../index.js";
import { checkNoPositionals, parse } from "../terminal/arguments.js";
import { type Command, EXIT, messageOf } from "../terminal/command.js";
import { findPython, minimumNode, packageVersion } from "../terminal/installation.js";
import { print } from "../terminal/output.js";

/** The result of one check. "note": something that is missing, but that only one command needs. */
interface Finding {
  readonly status: "ok" | "note" | "problem";
  readonly subject: string;
  readonly detail: string;
}

type ThreadInfo = Pick<
  RuntimeInfo,
  "intraOpThreads" | "interOpThreads" | "parallelBackend" | "cpuQuota" | "defaultThreads"
>;

const STATUS_WIDTH = 9;
const SUBJECT_WIDTH = 16;

export const doctorCommand: Command = {
  name: "doctor",
  summary: "Check the installation, and print what to run where something is wrong",
  help: `torch-t5 doctor

Checks Node.js, the addon, libtorch, devices, threads, SIMD instructions, kernels, the Python that exports models, and
the embedded model. Where something is wrong, prints what to run and ends with exit code 1.`,

  async run(args) {
    const { positionals } = parse(args, {});
    checkNoPositionals(positionals);
    const findings: Finding[] = [];
    const report = (...found: readonly Finding[]) => {
      findings.push(...found);
      for (const { status, subject, detail } of found) {
        print(`${status.padEnd(STATUS_WIDTH)}${subject.padEnd(SUBJECT_WIDTH)}${detail}`);
      }
    };
    report(checkNode(), { status: "ok", subject: "torch-t5", detail: `${packageVersion()} on ${platform} ${arch}` });
    report(...checkRuntime());
    report(checkPython());
    report(await checkDemoModel());
    const problems = findings.filter(({ status }) => status === "problem").length;
    print(problems === 0 ? "Everything needed is here." : `Problems: ${problems}`);
    return problems === 0 ? EXIT.ok : EXIT.failure;
  },
};

function checkNode(): Finding {
  const [major = 0, minor = 0] = versions.node.split(".").map(Number);
  const [minimumMajor = 0, minimumMinor = 0] = minimumNode().split(".").map(Number);
  const isNewEnough = major > minimumMajor || (major === minimumMajor && minor >= minimumMinor);
  if (isNewEnough) return { status: "ok", subject: "Node.js", detail: versions.node };
  const detail = `${versions.node} is older than ${minimumNode()}; install a newer version from https://nodejs.org`;
  return { status: "problem", subject: "Node.js", detail };
}

function checkRuntime(): readonly Finding[] {
  let info: RuntimeInfo;
  try {
    info = runtimeInfo();
  } catch (error) {
    return [{ status: "problem", subject: "libtorch", detail: messageOf(error) }];
  }
  const { libtorch, addonPath, cudaDevices } = info;
  const devices = cudaDevices.length === 0 ? "cpu (no CUDA device)" : ["cpu", ...cudaDevices].join(", ");
  return [
    { status: "ok", subject: "libtorch", detail: `${libtorch.version}, ${libtorch.source}: ${libtorch.directory}` },
    { status: "ok", subject: "addon", detail: `built for this libtorch: ${addonPath}` },
    { status: "ok", subject: "devices", detail: devices },
    ...checkCudaLibrary(info),
    checkThreads(info),
    { status: "ok", subject: "SIMD", detail: info.cpuCapability },
    { status: "ok", subject: "kernels", detail: info.kernels },
  ];
}

/** Compares the threads that models use by default with the CPU quota. */
export function checkThreads(info: ThreadInfo): Finding {
  const { intraOpThreads, interOpThreads, parallelBackend, cpuQuota, defaultThreads } = info;
  const counts = `${defaultThreads} per operator, ${interOpThreads} side by side (${parallelBackend})`;
  const subject = "threads";
  if (cpuQuota === undefined) return { status: "ok", subject, detail: counts };
  const quota = `the CPU quota is ${cpuQuota.toFixed(2)}`;
  if (defaultThreads > Math.max(1, cpuQuota)) {
    const detail = `${counts}; ${quota}: more threads than CPUs are slow; set OMP_NUM_THREADS or intraOpThreads`;
    return { status: "note", subject, detail };
  }
  if (defaultThreads === intraOpThreads) return { status: "ok", subject, detail: `${counts}; ${quota}` };
  const detail = `${counts}, as ${quota}; PyTorch's own number, and its bits, are those of ${intraOpThreads}`;
  return { status: "note", subject, detail };
}

/** Nothing without a CUDA device. */
function checkCudaLibrary({ cudaDevices, cudaLibrary }: RuntimeInfo): readonly Finding[] {
  if (cudaDevices.length === 0) return [];
  const isUsable = cudaLibrary === "loaded" || cudaLibrary === "available";
  return [{ status: isUsable ? "ok" : "note", subject: "CUDA library", detail: cudaLibrary }];
}

function checkPython(): Finding {
  const subject = "Python";
  const python = findPython();
  const advice = "only `torch-t5 export` needs it; run `npx torch-t5 setup --export`";
  if (python === undefined) return { status: "note", subject, detail: `none found; ${advice}` };
  const where = `${python.version}: ${python.executable}`;
  if (python.missing.length === 0) return { status: "ok", subject, detail: `${where} (can export models)` };
  return { status: "note", subject, detail: `${where} lacks ${python.missing.join(", ")}; ${advice}` };
}

async function checkDemoModel(): Promise<Finding> {
  const subject = "embedded model";
  try {
    const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu" });
    const { logits } = await t5.forward("spell number: 7");
    await t5.dispose();
    if (!logits.data.every(Number.isFinite)) {
      return { status: "problem", subject, detail: "computes logits that aren't finite numbers" };
    }
    return { status: "ok", subject, detail: `every file is intact, and it runs: ${demoModel}` };
  } catch (error) {
    return { status: "problem", subject, detail: messageOf(error) };
  }
}
