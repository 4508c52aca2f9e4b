#!/usr/bin/env node
// The `torch-t5-server` program: serves until SIGTERM or SIGINT, then drains and exits with 0. Or runs a bulk command.
import { argv, stderr, stdout } from "node:process";
import { startServer } from "./app/server.js";
import { readCommand, USAGE } from "./command/arguments.js";
import { openInBrowser } from "./command/browser.js";
import { runEnqueue, runWork } from "./command/bulk.js";
import { failureOf } from "./errors/failure.js";
import { runAtExit } from "./production/at-exit.js";
import { serverMetadata } from "./protocols/inference/metadata.js";

const EXIT = { ok: 0, failure: 1, usage: 2 } as const;

/** The bulk commands. */
const COMMANDS: ReadonlyMap<string | undefined, (args: readonly string[]) => Promise<void>> = new Map([
  ["enqueue", runEnqueue],
  ["work", runWork],
]);

async function main(): Promise<void> {
  const run = COMMANDS.get(argv[2]);
  if (run !== undefined) {
    await run(argv.slice(3));
    await exit(EXIT.ok);
  }
  await serve();
}

async function serve(): Promise<void> {
  const command = await readCommand(argv.slice(2));
  if ("show" in command) {
    stdout.write(`${command.show === "help" ? USAGE : serverMetadata.version}\n`);
    return;
  }
  const server = await startServer(command.config);
  const stop = () => {
    server.close().then(() => exit(EXIT.ok), fail);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  // Standard output has the JSON lines of the log alone.
  stderr.write(`torch-t5-server listens on ${server.url}`);
  stderr.write(server.grpcPort === undefined ? "\n" : `, and on port ${server.grpcPort} for gRPC\n`);
  try {
    await server.ready;
    stderr.write("torch-t5-server is ready\n");
    if (command.opens) openInBrowser(`${server.url}/inspect/`);
  } catch (error) {
    // After a signal, the end of close() is the end of the program.
    if (failureOf(error).code !== "ERR_SHUTTING_DOWN") throw error;
  }
}

/** One line on standard error. A wrong command line or configuration has exit code 2. */
async function fail(error: unknown): Promise<void> {
  const { code, message } = failureOf(error);
  const text = code === "ERR_INTERNAL" && error instanceof Error ? error.message.split("\n", 1)[0] : message;
  stderr.write(`torch-t5-server: ${text} (${code})\n`);
  await exit(code === "ERR_INVALID_ARGUMENT" ? EXIT.usage : EXIT.failure);
}

async function exit(code: number): Promise<never> {
  await runAtExit();
  process.exit(code);
}

main().catch(fail);
