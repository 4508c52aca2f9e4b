// What the first argument of `fromPretrained` stands for: a local directory, or a name on the hub.
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { T5Error } from "../util/errors.js";

/** The part of a name before or after the slash, as `validate_repo_id` of huggingface_hub accepts it. */
const PART = "[A-Za-z0-9_](?:[\\w.-]{0,94}[A-Za-z0-9_])?";
const NAME = new RegExp(`^(?:${PART}/)?${PART}$`);

/** The files of which every model directory has one. */
const MODEL_FILES = [
  "manifest.json",
  "config.json",
  "modules.json",
  "tokenizer_config.json",
  "tokenizer.json",
  "spiece.model",
];

/** Whether a text can be the name of a model on the hub: "name" or "organization/name". */
export function isHubName(text: string): boolean {
  return NAME.test(text) && !text.includes("--") && !text.includes("..") && !text.endsWith(".git");
}

/**
 * Whether a path stands for a model on the hub: it has the form of a name, and nothing local has it. Rejects with
 * ERR_MODEL_NOT_FOUND where something local has the name and is no model: the user may mean either.
 */
export async function isOnHub(path: string): Promise<boolean> {
  if (!isHubName(path)) return false;
  if (!(await exists(path))) return true;
  const found = await Promise.all(MODEL_FILES.map((file) => exists(join(path, file))));
  if (found.includes(true)) return false;
  const message = `Expected a model in ${JSON.stringify(path)}, which exists here and so takes precedence over the model of that name on the hub, but found neither manifest.json nor config.json in it`;
  throw new T5Error("ERR_MODEL_NOT_FOUND", message);
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
