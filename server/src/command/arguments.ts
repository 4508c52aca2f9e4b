// The command line of `torch-t5-server`.
import { parseArgs } from "node:util";
import { type ConfigInput, readConfigFile } from "../config/config.js";
import { expected, ServerError } from "../errors/server-error.js";

export const USAGE = `torch-t5-server [options]
torch-t5-server enqueue | work [options]   bulk jobs over a queue in Redis; see their --help

Serves T5 models: the Open Inference Protocol (REST and gRPC), and the routes of OpenAI, text-generation-inference
and text-embeddings-inference. Without models it serves the one that torch-t5 includes.

  --config <file>         JSON with all settings; the options below replace its values
  --model <name=path>     an exported or Hugging Face directory; may be repeated
  --host <address>        the address to listen on (default: 127.0.0.1)
  --port <port>           the port of HTTP (default: 8080); 0: a free one
  --grpc-port <port>      the port of gRPC (default: no gRPC); 0: a free one
  --log-level <level>     silent, fatal, error, warn, info (default), debug or trace
  --open                  open the inspector in a browser once the models are loaded
  --help, --version

API keys are read from the file that the configuration names, and from TORCH_T5_API_KEYS, separated by commas.`;

/** What a command line asks for. */
export type Command = { readonly show: "help" | "version" } | { readonly config: ConfigInput; readonly opens: boolean };

/** Reads a command line, and the file that it names. Rejects with ERR_INVALID_ARGUMENT. */
export async function readCommand(args: readonly string[]): Promise<Command> {
  const { values } = parse(args);
  if (values.help) return { show: "help" };
  if (values.version) return { show: "version" };
  const { config: file, model, host, port, "grpc-port": grpcPort, "log-level": logLevel, open: opens = false } = values;
  const config = file === undefined ? {} : await readConfigFile(file);
  return {
    opens,
    config: {
      ...config,
      ...(model !== undefined && { models: model.map(readModel) }),
      ...(host !== undefined && { host }),
      ...(port !== undefined && { port: readPort(port, "--port") }),
      ...(grpcPort !== undefined && { grpcPort: readPort(grpcPort, "--grpc-port") }),
      ...(logLevel !== undefined && { logLevel }),
    },
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        config: { type: "string" },
        model: { type: "string", multiple: true },
        host: { type: "string" },
        port: { type: "string" },
        "grpc-port": { type: "string" },
        "log-level": { type: "string" },
        open: { type: "boolean" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean", short: "v" },
      },
    });
  } catch (cause) {
    throw new ServerError("ERR_INVALID_ARGUMENT", (cause as Error).message.split("\n", 1)[0] ?? "", { cause });
  }
}

/** A model of a command line. Throws ERR_INVALID_ARGUMENT. */
export function readModel(text: string) {
  const [, name, path] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || path === undefined) throw expected("name=path", "--model", text);
  return { name, path };
}

function readPort(text: string, name: string): number {
  if (!/^\d{1,5}$/.test(text)) throw expected("a port", name, text);
  return Number(text);
}
