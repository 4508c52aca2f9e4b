// modules.json of sentence-transformers: the modules of a repository or a directory, and their folders.
import { cut } from "../util/describe.js";
import { corrupt } from "../util/json.js";
import { isInside } from "../util/paths.js";
import { isRecord, refused } from "../util/validation.js";

export const MODULES = "modules.json";

/** The modules that torch-t5 applies, by the last part of their class in sentence-transformers. */
const NAMES = ["Transformer", "Pooling", "Dense", "Normalize", "Dropout"] as const;

/** An entry of modules.json. */
export interface SentenceModule {
  readonly name: (typeof NAMES)[number];
  /** With slashes; "" for the directory itself. */
  readonly folder: string;
}

/** The modules of a directory: first its encoder, then its pooling. */
export interface SentenceModules {
  readonly encoder: SentenceModule;
  readonly pooling: SentenceModule;
  readonly others: readonly SentenceModule[];
}

const PACKAGE = "sentence_transformers.";
const MAX_MODULES = 32;
const MAX_TEXT_LENGTH = 200;
/** What to run where the modules can't be applied. */
const WITHOUT_MODULES = "(`npx torch-t5 export --no-modules` exports the encoder without them)";

/** The modules in the JSON of modules.json. Throws ERR_MODEL_CORRUPT, also for modules that torch-t5 can't apply. */
export function parseSentenceModules(value: unknown): SentenceModules {
  if (!Array.isArray(value) || value.length > MAX_MODULES) {
    throw corrupt(`an array of at most ${MAX_MODULES} modules`, MODULES, value);
  }
  const modules = value.map(parseModule);
  const [encoder, pooling, ...others] = modules;
  const isKnown = others.every(({ name }) => name !== "Transformer" && name !== "Pooling");
  if (encoder?.name === "Transformer" && pooling?.name === "Pooling" && isKnown) return { encoder, pooling, others };
  const received = modules.map(({ name }) => name).join(", ") || "none";
  throw refused("Transformer, Pooling, then Dense or Normalize", MODULES, received, "ERR_MODEL_CORRUPT");
}

function parseModule(value: unknown): SentenceModule {
  const { path, type, kwargs }: Readonly<Record<string, unknown>> = isRecord(value) ? value : {};
  if (typeof path !== "string" || typeof type !== "string" || !(path === "" || isInside(path))) {
    throw corrupt("modules with a type and a path inside the directory", MODULES, path);
  }
  const name = type.startsWith(PACKAGE) ? NAMES.find((known) => known === type.split(".").at(-1)) : undefined;
  if (name === undefined) {
    const received = `${JSON.stringify(cut(type, MAX_TEXT_LENGTH))} ${WITHOUT_MODULES}`;
    throw refused(`modules of sentence-transformers (${NAMES.join(", ")})`, MODULES, received, "ERR_MODEL_CORRUPT");
  }
  if (kwargs !== undefined && kwargs !== null && Object.keys(kwargs).length > 0) {
    const received = `${cut(JSON.stringify(kwargs), MAX_TEXT_LENGTH)} ${WITHOUT_MODULES}`;
    throw refused("no kwargs", MODULES, received, "ERR_MODEL_CORRUPT");
  }
  return { name, folder: path };
}
