// What the server and its models state about themselves.
import { createRequire } from "node:module";
import { MODEL_VERSION, type ServedModel } from "../../models/served-model.js";
import { type Signature, signatureOf } from "./signatures.js";

const SERVER_NAME = "torch-t5-server";
const PLATFORM = "torch-t5";

const { version } = createRequire(import.meta.url)("../../../package.json") as { readonly version: string };

export interface ServerMetadata {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}

export const serverMetadata: ServerMetadata = {
  name: SERVER_NAME,
  version,
  extensions: ["binary_tensor_data", "generate"],
};

export interface ModelMetadata extends Signature {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
}

/** Throws ERR_NOT_READY. */
export function modelMetadata(model: ServedModel): ModelMetadata {
  return { name: model.name, versions: [MODEL_VERSION], platform: PLATFORM, ...signatureOf(model.loaded) };
}
