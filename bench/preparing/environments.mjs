// Installs the peers into bench/.peers: a virtual environment for each list of pinned packages in ../peers, and Node packages. The
// virtual environments use the torch of the project's environment, which takes 5 GB, through a .pth file.
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { env, execPath, platform, versions } from "node:process";
import { root, sitePackages, venvProgram } from "../../scripts/setup/paths.mjs";
import { runProgram } from "../running/processes.mjs";

const pins = join(root, "bench", "peers");
const installed = join(root, "bench", ".peers");
const STAMP = ".installed";
const TORCH_LINK = "torch-t5-project.pth";

/** The folder from which trial programs import the peers' Node packages. */
export const nodePeers = join(installed, "node");

/** The Python of the project, with Hugging Face transformers and torch. */
export const projectPython = env.TORCH_T5_PYTHON ?? venvProgram("python");

/** The program that runs a trial file in an environment: a Python or this Node.js. */
export function interpreter(environment, file) {
  if (file.endsWith(".mjs")) return execPath;
  if (environment === "project" || environment === undefined) return projectPython;
  const python = platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"];
  return join(installed, environment, ...python);
}

/** Installs an environment, unless it is already installed with the same pinned packages. */
export async function prepareEnvironment(environment) {
  if (environment === "project") return;
  const isNode = environment === "node";
  const pinned = isNode ? join(pins, "node", "package-lock.json") : join(pins, `${environment}.txt`);
  const directory = join(installed, environment);
  const stamp = join(directory, STAMP);
  const fingerprint = createHash("sha256")
    .update(readPins(pinned))
    .update(isNode ? versions.modules : projectPython)
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint) return;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  await (isNode ? installNode(directory) : installPython(environment, directory, pinned));
  writeFileSync(stamp, fingerprint);
}

/** A list of pinned packages with the lists that it includes. */
function readPins(path) {
  const text = readFileSync(path, "utf8");
  const included = [...text.matchAll(/^-r (\S+)$/gm)].map(([, name]) => readPins(join(pins, name)));
  return [text, ...included].join("");
}

async function installPython(environment, directory, pinned) {
  const step = `install-${environment}`;
  await runProgram(step, projectPython, ["-m", "venv", directory]);
  const python = interpreter(environment, ".py");
  // --no-deps, because the list is complete, and pip would download another torch.
  const options = ["--no-deps", "--no-input", "--disable-pip-version-check"];
  await runProgram(step, python, ["-m", "pip", "install", ...options, "-r", pinned]);
  writeFileSync(join(sitePackagesBelow(directory), TORCH_LINK), `${sitePackages()}\n`);
}

function sitePackagesBelow(directory) {
  if (platform === "win32") return join(directory, "Lib", "site-packages");
  const lib = join(directory, "lib");
  return join(lib, readdirSync(lib).find((name) => name.startsWith("python3")) ?? "python3", "site-packages");
}

/** Installs Node packages without running their scripts: onnxruntime-node's would download the CUDA build. */
async function installNode(directory) {
  cpSync(join(pins, "node"), directory, { recursive: true });
  const [program, first] = env.npm_execpath?.endsWith(".js")
    ? [execPath, [env.npm_execpath]]
    : [platform === "win32" ? "npm.cmd" : "npm", []];
  const options = ["--ignore-scripts", "--no-audit", "--no-fund"];
  await runProgram("install-node", program, [...first, "ci", ...options], { cwd: directory });
}
