// The Python in which set-up installed torch and transformers.
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** `TORCH_T5_PYTHON` if it is set, otherwise the Python of the checkout's virtual environment. */
export function pythonPath(): string {
  const inVenv = process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"];
  return process.env.TORCH_T5_PYTHON ?? join(root, ".venv", ...inVenv);
}
