// One fresh process per trial: no trial inherits another's warm caches, allocator or threads.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { env, execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { root, venvProgram } from "../scripts/setup/paths.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const python = env.TORCH_T5_PYTHON ?? venvProgram("python");

/** Runs a trial program with a JSON request as its argument; resolves to the JSON on the last line it prints. */
export async function runTrial(file, request) {
  const program = file.endsWith(".py") ? python : execPath;
  const child = spawn(program, [join(here, "trials", file), JSON.stringify(request)], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...env, PYTHONWARNINGS: "ignore", TRANSFORMERS_VERBOSITY: "error", HF_HUB_OFFLINE: "1" },
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  const code = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (code !== 0) throw new Error(`Trial ${file} ended with ${code}`);
  return JSON.parse(output.trim().split("\n").at(-1));
}

/** Runs a Python program of the repository to its end. */
export async function runPython(args) {
  const child = spawn(python, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  const code = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}`);
}
