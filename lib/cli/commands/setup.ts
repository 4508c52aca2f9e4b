// `torch-t5 setup`: runs the package's set-up script.
import { execPath } from "node:process";
import { checkNoPositionals, parse } from "../terminal/arguments.js";
import { type Command, UsageError } from "../terminal/command.js";
import { runToEnd, scriptPath } from "../terminal/installation.js";

export const setupCommand: Command = {
  name: "setup",
  summary: "Download libtorch and build the addon, if they are missing",
  help: `torch-t5 setup [--export | --cuda] [--index <url>]

Downloads libtorch (0.6 GB, of which 0.5 GB stay) and builds the addon, unless the package has a prebuilt one or there
is a libtorch (LIBTORCH, Python's torch). Everything goes into the user's cache. Each step runs once; an interrupted
set-up continues with the step that it was in. The download needs Python >= 3.10, the build a C++20 compiler.

  --export              also install Python's torch and transformers, which \`torch-t5 export\` needs
  --cuda                also install CUDA's libraries, to run models on a GPU
  --index <url>         a mirror of PyPI; the default is PIP_INDEX_URL, or pip's own setting. pip and npm also read
                        HTTPS_PROXY`,

  async run(args) {
    const { values, positionals } = parse(args, {
      export: { type: "boolean" },
      cuda: { type: "boolean" },
      index: { type: "string" },
    });
    checkNoPositionals(positionals);
    if (values.export && values.cuda) throw new UsageError("Expected --export, which includes --cuda, or --cuda alone");
    const profile = values.export ? "export" : values.cuda ? "cuda" : "demo";
    const index = values.index === undefined ? [] : ["--index", values.index];
    return runToEnd(execPath, [scriptPath("setup.mjs"), profile, ...index]);
  },
};
