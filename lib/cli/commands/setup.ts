// `torch-t5 setup`: runs the package's set-up script.
import { execPath } from "node:process";
import { checkNoPositionals, parse } from "../terminal/arguments.js";
import type { Command } from "../terminal/command.js";
import { runToEnd, scriptPath } from "../terminal/installation.js";

export const setupCommand: Command = {
  name: "setup",
  summary: "Download libtorch and build the addon, if they are missing",
  help: `torch-t5 setup [--export]

Downloads libtorch (0.6 GB, 1.3 GB on disk) and builds the addon unless the package has a prebuilt one. Each step runs
once; an interrupted set-up continues with the step that it was in. Needs Python >= 3.10 and, to build, a C++20
compiler.

  --export              also install Python's torch and transformers, which \`torch-t5 export\` needs`,

  async run(args) {
    const { values, positionals } = parse(args, { export: { type: "boolean" } });
    checkNoPositionals(positionals);
    return runToEnd(execPath, [scriptPath("setup.mjs"), values.export ? "export" : "demo"]);
  },
};
