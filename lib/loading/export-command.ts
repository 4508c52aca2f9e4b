// What only an export has: the command that makes one, and the refusal of files that only the exporter reads.
import { platform } from "node:process";
import { T5Error } from "../util/errors.js";
import { findFile } from "./files.js";

const PICKLED = ["pytorch_model.bin", "pytorch_model.bin.index.json"];

/** The command that exports a directory, with quotes where a shell needs them. */
export function exportCommand(path: string): string {
  const source = path.replace(/(?<=.)[/\\]+$/, "");
  return `npx torch-t5 export ${quoted(source)} ${quoted(`${source}-exported`)}`;
}

/**
 * Refuses pickled weights in place of `wanted`, a safetensors file of the directory that it lacks. `exported` is the
 * directory that the exporter takes. Rejects with ERR_MODEL_NOT_FOUND, and does nothing where there are none.
 */
export async function refusePickled(directory: string, wanted: string, exported = directory): Promise<void> {
  const prefix = wanted.slice(0, wanted.lastIndexOf("/") + 1);
  for (const name of PICKLED.map((file) => prefix + file)) {
    if ((await findFile(directory, name)) === undefined) continue;
    const message = `Expected ${wanted} in ${JSON.stringify(directory)} but found ${name}, which could run code when it is unpickled; run \`${exportCommand(exported)}\`, and load what it writes`;
    throw new T5Error("ERR_MODEL_NOT_FOUND", message);
  }
}

function quoted(path: string): string {
  if (/^[\w@%+=:,./-]+$/.test(path)) return path;
  // A line break stays one line, whatever a shell makes of it.
  return platform === "win32" || /\p{Cc}/u.test(path) ? JSON.stringify(path) : `'${path.replaceAll("'", "'\\''")}'`;
}
