// `torch-t5 serve`: runs the server, a package of its own.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { cwd, execPath } from "node:process";
import { pathToFileURL } from "node:url";
import { type Command, EXIT } from "../terminal/command.js";
import { runToEnd } from "../terminal/installation.js";
import { printError } from "../terminal/output.js";

const PACKAGE = "torch-t5-server";

export const serveCommand: Command = {
  name: "serve",
  summary: "Serve models over HTTP and gRPC, with the package torch-t5-server",
  help: `torch-t5 serve [options]

Runs the program of the package torch-t5-server, if it is installed: npm install torch-t5-server
All arguments are those of that program; torch-t5-server --help lists them.`,

  async run(args) {
    const program = findProgram();
    if (program !== undefined) return runToEnd(execPath, [program, ...args]);
    printError(
      `torch-t5: Expected the package ${PACKAGE} for serve but it is not installed; run \`npm install ${PACKAGE}\``,
    );
    return EXIT.failure;
  },
};

/** The server's program: the project's in the working directory, or the one beside this package. */
function findProgram(): string | undefined {
  for (const from of [pathToFileURL(join(cwd(), "package.json")), import.meta.url]) {
    try {
      const file = createRequire(from).resolve(`${PACKAGE}/package.json`);
      return join(dirname(file), "dist", "main.js");
    } catch {
      // Not installed there.
    }
  }
  return undefined;
}
