// The Python that set-up made, with torch and transformers in it.
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** `TORCH_T5_PYTHON` if it is set, else the Python of the checkout's virtual environment. */
export function pythonPath(): string {
  const inVenv = process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"];
  return process.env.TORCH_T5_PYTHON ?? join(root, ".venv", ...inVenv);
}
