// `torch-t5 setup`: the set-up script of the package.
import { execPath } from "node:process";
import { type Command, parse, UsageError } from "../terminal/command.js";
import { runToEnd, scriptPath } from "../terminal/package.js";

export const setupCommand: Command = {
  name: "setup",
  summary: "Fetch libtorch and build the addon where one of them is missing",
  help: `torch-t5 setup [--export]

Fetches libtorch (0.6 GB, 1.3 GB on disk) and builds the addon where there is no prebuilt one. Each step is done once; an
interrupted set-up continues where it was. Needs Python >= 3.10 and, to build, a C++20 compiler.

  --export              also Python's torch and transformers, which \`torch-t5 export\` needs`,

  async run(args) {
    const { values, positionals } = parse(args, { export: { type: "boolean" } });
    if (positionals.length > 0) throw new UsageError(`Expected no arguments but received ${positionals.length}`);
    return runToEnd(execPath, [scriptPath("setup.mjs"), values.export ? "export" : "demo"]);
  },
};
