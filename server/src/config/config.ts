// The configuration: a JSON file, checked against its schema, with defaults and with paths relative to the file.
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Ajv } from "ajv";
import { demoModel } from "torch-t5";
import { type SchemaError, schemaError } from "../errors/schema-error.js";
import { expected, ServerError } from "../errors/server-error.js";
import { ConfigSchema, type ModelSettings, type ServerConfig } from "./schema.js";

/** The path that stands for the model which torch-t5 includes. */
const DEMO = "demo";
/** The model of a server without any in its configuration. */
const DEMO_SETTINGS: ModelSettings = { name: "demo", path: DEMO };

/** JSON of any shape. Everything that is left out has its default. */
export type ConfigInput = Readonly<Record<string, unknown>>;

const ajv = new Ajv({ useDefaults: true, verbose: true });
const isConfig = ajv.compile<ServerConfig>(ConfigSchema);

/** The configuration in a file. Rejects with ERR_INVALID_ARGUMENT. */
export async function readConfigFile(path: string): Promise<ConfigInput> {
  const text = await readFile(path, "utf8").catch((cause: Error) => {
    throw new ServerError("ERR_INVALID_ARGUMENT", `Expected a readable file for --config but ${cause.message}`);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ServerError("ERR_INVALID_ARGUMENT", `Expected JSON in ${path} but ${(cause as Error).message}`, {
      cause,
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw expected("an object", path, value);
  return resolvePaths(value as ConfigInput, dirname(path));
}

/** Checks a configuration and fills in the defaults. Throws ERR_INVALID_ARGUMENT. */
export function checkConfig(input: ConfigInput): ServerConfig {
  const config: unknown = structuredClone({ ...input, models: input.models ?? [DEMO_SETTINGS] });
  if (!isConfig(config)) throw schemaError((isConfig.errors ?? []) as readonly SchemaError[], "config");
  for (const [index, { path, hub, revision }] of config.models.entries()) {
    if ((path === undefined) === (hub === undefined)) {
      throw expected("either path or hub", `config.models[${index}]`, { path, hub });
    }
    if (hub === undefined && revision !== undefined) {
      throw expected("hub with revision", `config.models[${index}]`, { path, revision });
    }
  }
  const names = config.models.map(({ name }) => name);
  const doubled = names.find((name, index) => names.indexOf(name) < index);
  if (doubled !== undefined) throw expected("different names", "config.models", doubled);
  return { ...config, models: config.models.map(withFullPath) };
}

/** A full path is never taken for a name on the hub. */
function withFullPath({ path, ...model }: ModelSettings): ModelSettings {
  if (path === undefined) return model;
  return { ...model, path: path === DEMO ? demoModel : resolve(path) };
}

/** Paths of a configuration file are relative to it. */
function resolvePaths(config: ConfigInput, base: string): ConfigInput {
  const at = (path: unknown) => (typeof path === "string" ? resolve(base, path) : path);
  const { models, apiKeysFile, tls } = config;
  return {
    ...config,
    ...(apiKeysFile !== undefined && { apiKeysFile: at(apiKeysFile) }),
    ...(isObject(tls) && { tls: mapValues(tls, at) }),
    ...(Array.isArray(models) && {
      models: models.map((model) =>
        isObject(model) && model.path !== undefined && model.path !== DEMO ? { ...model, path: at(model.path) } : model,
      ),
    }),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function mapValues(
  object: Readonly<Record<string, unknown>>,
  map: (value: unknown) => unknown,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]));
}
