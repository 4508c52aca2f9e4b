// The command lines of `torch-t5-server enqueue` and `torch-t5-server work`.
import { statSync } from "node:fs";
import { parseArgs } from "node:util";
import type { EnqueueOptions } from "../bulk/enqueue.js";
import type { WorkOptions } from "../bulk/work.js";
import { readConfigFile } from "../config/config.js";
import { expected, ServerError } from "../errors/server-error.js";
import { readModel } from "./arguments.js";

export const ENQUEUE_USAGE = `torch-t5-server enqueue --queue <url> --route <route> --input <file> --output <file> [options]

Puts the lines of a file into a queue, and writes the answers of the workers in the order of the lines. Started again
with the same files, it continues where it ended.

  --queue <url>           Redis: redis://host:6379, or rediss:// with TLS
  --route <route>         the route of the server that answers, such as /generate, /embed or /score
  --input <file>          JSON Lines, each the body of a request to the route
  --output <file>         one line for each answer: { "line", "result" }
  --errors <file>         one line for each error: { "line", "code", "error" } (default: the output's name with .errors)
  --shard-lines <number>  lines that a worker takes at once (default: 64)
  --window <number>       shards that are in Redis at once (default: 1000)
  --overwrite             replace the files, instead of continuing
  --help`;

export const WORK_USAGE = `torch-t5-server work --queue <url> [options]

Loads models, and answers the lines in a queue until SIGTERM or SIGINT. Any number of workers, on any machines, share a
queue; they must have the same models.

  --queue <url>           Redis: redis://host:6379, or rediss:// with TLS
  --config <file>         JSON of the server, of which models and limits apply
  --model <name=path>     an exported or Hugging Face directory; may be repeated
  --concurrency <number>  shards that are answered at once (default: 2)
  --stalled-seconds <s>   time after which the shard of a worker that has vanished is done again (default: 30)
  --help`;

const DEFAULT_SHARD_LINES = 64;
const DEFAULT_WINDOW = 1000;
const DEFAULT_CONCURRENCY = 2;
const DEFAULT_STALLED_SECONDS = 30;
const MAX_COUNT = 1_000_000;
const ROUTE = /^\/[\w./-]*$/;

/** Undefined for --help. Throws ERR_INVALID_ARGUMENT. */
export function readEnqueue(args: readonly string[]): EnqueueOptions | undefined {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const { values } = parse(args, {
    ...{ queue: text, route: text, input: text, output: text, errors: text, overwrite: flag, help: flag },
    ...{ "shard-lines": text, window: text },
  });
  if (values.help === true) return undefined;
  const input = required(values, "input");
  const output = required(values, "output");
  const route = required(values, "route");
  if (!ROUTE.test(route)) throw expected("a route such as /generate", "--route", route);
  if (statSync(input, { throwIfNoEntry: false })?.isFile() !== true) throw expected("a file", "--input", input);
  const errors = typeof values.errors === "string" ? values.errors : `${output}.errors`;
  if (new Set([input, output, errors]).size < 3) {
    throw expected("different files", "--input, --output and --errors", [input, output, errors]);
  }
  return {
    ...{ input, output, errors, route },
    queue: required(values, "queue"),
    shardLines: count(values, "shard-lines", DEFAULT_SHARD_LINES),
    window: count(values, "window", DEFAULT_WINDOW),
    overwrites: values.overwrite === true,
  };
}

/** Undefined for --help. Rejects with ERR_INVALID_ARGUMENT. */
export async function readWork(args: readonly string[]): Promise<WorkOptions | undefined> {
  const text = { type: "string" } as const;
  const { values } = parse(args, {
    ...{ queue: text, config: text, model: { type: "string", multiple: true }, help: { type: "boolean" } },
    ...{ concurrency: text, "stalled-seconds": text },
  });
  if (values.help === true) return undefined;
  const config = typeof values.config === "string" ? await readConfigFile(values.config) : {};
  const { model } = values;
  return {
    config: { ...config, ...(Array.isArray(model) && { models: model.map((each) => readModel(String(each))) }) },
    queue: required(values, "queue"),
    concurrency: count(values, "concurrency", DEFAULT_CONCURRENCY),
    stalledSeconds: count(values, "stalled-seconds", DEFAULT_STALLED_SECONDS),
  };
}

type Values = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;
type Flags = NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>["options"]>;

function parse(args: readonly string[], options: Flags): { readonly values: Values } {
  try {
    return parseArgs({ args: [...args], options });
  } catch (cause) {
    throw new ServerError("ERR_INVALID_ARGUMENT", (cause as Error).message.split("\n", 1)[0] ?? "", { cause });
  }
}

function required(values: Values, name: string): string {
  const value = values[name];
  if (typeof value === "string" && value !== "") return value;
  throw expected("a value", `--${name}`, value);
}

function count(values: Values, name: string, otherwise: number): number {
  const value = values[name];
  if (value === undefined) return otherwise;
  const number = Number(value);
  if (Number.isInteger(number) && number >= 1 && number <= MAX_COUNT) return number;
  throw expected(`an integer from 1 to ${MAX_COUNT}`, `--${name}`, value);
}
