#!/usr/bin/env node
// The `torch-t5` program: runs the command that its first argument names, and reports a failure in one line.
import { argv } from "node:process";
import { cacheCommand } from "./commands/cache.js";
import { classifyCommand } from "./commands/classify.js";
import { doctorCommand } from "./commands/doctor.js";
import { embedCommand } from "./commands/embed.js";
import { exportCommand } from "./commands/export.js";
import { generateCommand } from "./commands/generate.js";
import { logitsCommand } from "./commands/logits.js";
import { pullCommand } from "./commands/pull.js";
import { rerankCommand } from "./commands/rerank.js";
import { scoreCommand } from "./commands/score.js";
import { serveCommand } from "./commands/serve.js";
import { setupCommand } from "./commands/setup.js";
import { verifyCommand } from "./commands/verify.js";
import { type Command, EXIT, messageOf, UsageError } from "./terminal/command.js";
import { packageVersion } from "./terminal/installation.js";
import { print, printError } from "./terminal/output.js";

const commands: readonly Command[] = [
  logitsCommand,
  generateCommand,
  scoreCommand,
  rerankCommand,
  embedCommand,
  classifyCommand,
  pullCommand,
  cacheCommand,
  exportCommand,
  verifyCommand,
  doctorCommand,
  serveCommand,
  setupCommand,
];
const NAME_WIDTH = 10;
const HELP = ["--help", "-h"];
const VERSION = ["--version", "-v"];

const usage = `torch-t5 <command> [options]

T5 logits, identical to PyTorch's.

${commands.map(({ name, summary }) => `  ${name.padEnd(NAME_WIDTH)}${summary}`).join("\n")}

torch-t5 help <command> explains a command; torch-t5 --version prints the version.
Exit codes: 0 success, 1 failure, 2 wrong command line.`;

async function main(args: readonly string[]): Promise<number> {
  const [name = "", ...rest] = args;
  if (args.length === 0 || HELP.includes(name) || (name === "help" && rest.length === 0)) {
    print(usage);
    return EXIT.ok;
  }
  if (name === "help") {
    print(onlyCommand(rest).help);
    return EXIT.ok;
  }
  if (VERSION.includes(name)) {
    print(packageVersion());
    return EXIT.ok;
  }
  const command = findCommand(name);
  if (asksForHelp(rest)) {
    print(command.help);
    return EXIT.ok;
  }
  return command.run(rest);
}

function findCommand(name: string): Command {
  const command = commands.find((candidate) => candidate.name === name);
  if (command !== undefined) return command;
  const names = commands.map((known) => known.name).join(", ");
  throw new UsageError(`Expected a command (${names}) but received ${JSON.stringify(name)}`);
}

/** The command that `torch-t5 help` is asked about. */
function onlyCommand([name = "", ...others]: readonly string[]): Command {
  if (others.length > 0) throw new UsageError(`Expected one command for help but received ${others.length + 1}`);
  return findCommand(name);
}

/** Whether one of the arguments before "--" asks for help. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end === -1 ? args.length : end).some((argument) => HELP.includes(argument));
}

main(argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const isUsage = error instanceof UsageError;
    printError(`torch-t5: ${messageOf(error)}${isUsage ? "; see torch-t5 --help" : ""}`);
    process.exitCode = isUsage ? EXIT.usage : EXIT.failure;
  },
);
