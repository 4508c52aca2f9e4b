// Models of Hugging Face's hub: exported once with `torch-t5 export`, into the user's cache.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { env, execPath } from "node:process";
import { ServerError } from "../errors/server-error.js";

/** The folder of exported models: `TORCH_T5_MODELS`, or one in the user's cache. */
function cacheDirectory(): string {
  return env.TORCH_T5_MODELS ?? join(env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "torch-t5", "models");
}

/**
 * The directory of a model of the hub, which is exported if it is not there yet. `torch-t5 export` writes a directory
 * as a whole or not at all; the signal ends it. Rejects with ERR_MODEL_NOT_FOUND, and the exporter's last line.
 */
export async function exportedModel(name: string, signal: AbortSignal): Promise<string> {
  const directory = join(cacheDirectory(), name.replaceAll(/[^A-Za-z0-9._-]+/g, "--"));
  if (existsSync(join(directory, "manifest.json"))) return directory;
  const program = createRequire(import.meta.url).resolve("torch-t5/package.json");
  const args = [join(dirname(program), "dist", "cli", "main.js"), "export", name, directory];
  const child = spawn(execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  // torch-t5 passes the signal on to the exporter.
  const end = () => child.kill("SIGTERM");
  signal.addEventListener("abort", end);
  let output = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
  });
  const [code] = await once(child, "close");
  signal.removeEventListener("abort", end);
  signal.throwIfAborted();
  if (code === 0) return directory;
  const reason = output.trim().split("\n").at(-1) ?? "";
  throw new ServerError("ERR_MODEL_NOT_FOUND", `Expected an export of ${name} but torch-t5 export failed: ${reason}`);
}
