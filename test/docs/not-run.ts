// Commands that the documents show and the tests cannot run: the reasons, and a check that what they name exists.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { torchT5 } from "../support/cli.js";
import { runToEnd } from "../support/program.js";
import { pythonPath } from "../support/python.js";
import { type Block, root } from "./blocks.js";

/** The reason of blocks that the server's tests run. */
export const RUN_WITH_SERVER = "needs a server";

/** Each reason, with the commands for which it is valid. */
const COMMANDS: Readonly<Record<string, readonly RegExp[]>> = {
  "downloads a model": [
    /^(npx )?torch-t5 setup --export$/,
    /^(npx )?torch-t5 export /,
    /^export_source\(/,
    /^from t5_export import /,
    /^from pathlib import Path$/,
    /^(npx )?torch-t5 pull /,
    /^(npx )?torch-t5 \w+ .*--model [\w-]+\/[\w.-]+/,
    // JavaScript that loads a name on the hub.
    /^import \{ T5ForConditionalGeneration \} from "torch-t5";$/,
    /^const t5 = await T5ForConditionalGeneration\.fromPretrained\("[\w-]+\/[\w.-]+"(, \{|\);$)/,
    /^(precision|revision): "\w+",$/,
    /^progress: .*console\.log\(/,
    /^\}\);$/,
    /^console\.log\(\(await t5\.generate\(/,
  ],
  "downloads packages": [
    /^npm install /,
    /^npm pack$/,
    /^npm run (setup|demo|build|prebuild|pack:source)$/,
    /^(npx )?torch-t5 setup( --export)?$/,
    /^(sudo )?apt-get install /,
    /^git clone /,
  ],
  "serves until it is stopped": [
    /^(npx )?torch-t5(-server| serve)( |$)/,
    // server/test/production/tracing.spec.ts runs these.
    /^export OTEL_EXPORTER_OTLP_ENDPOINT=\S+ OTEL_SERVICE_NAME=\S+$/,
    /^NODE_OPTIONS="--import torch-t5-server\/tracing" npx torch-t5-server$/,
  ],
  // server/test/protocols/docs.spec.ts runs these.
  [RUN_WITH_SERVER]: [/./],
  "takes minutes": [/^npm (test|run [\w:-]+)( --( .*)?)?$/, /^(npx )?torch-t5 verify /, /^npx mocha /],
  "needs peft": [/^from (peft|transformers) import /, /^model( = PeftModel)?\./, /^AutoTokenizer\./],
  "needs a GPU": [/^python3 scripts\/gpu-check( |$)/, /^npm run bench -- /, /--device cuda/, /^TORCH_T5_TEST_DEVICE=/],
};

/** Throws for an unknown reason, a command for which it is not valid, and names that do not exist. */
export async function checkNotRun({ notRun = "", language, code }: Block): Promise<void> {
  const kinds = COMMANDS[notRun];
  if (kinds === undefined)
    throw new Error(`Expected one of ${Object.keys(COMMANDS).join(", ")} but received ${notRun}`);
  const comment = language === "python" || language === "sh" ? /\s*(^|\s)#.*$/ : /\s*\/\/.*$/;
  for (const line of code.replaceAll("\\\n", " ").split("\n")) {
    const command = line.replace(comment, "").trim();
    if (command === "" || (command.startsWith("cd ") && language === "sh")) continue;
    if (!kinds.some((kind) => kind.test(command))) throw new Error(`"${notRun}" is no reason not to run: ${command}`);
    await checkNames(command);
  }
}

async function checkNames(command: string): Promise<void> {
  const words = command.split(/\s+/);
  const flags = words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.split("=", 1)[0] ?? "");
  const script = /^npm (?:run )?([\w:-]+)/.exec(command)?.[1];
  const torch = /^(?:npx )?torch-t5 (\w+)/.exec(command)?.[1];
  const server = /^(?:npx )?torch-t5(?:-server| serve)(?: (?<bulk>enqueue|work))?(?: |$)/.exec(command);
  if (server !== null) {
    const bulk = server.groups?.bulk;
    const args = [...(bulk === undefined ? [] : [bulk]), "--help"];
    checkFlags(flags, await help(process.execPath, [join(root, "server", "dist", "main.js"), ...args]), command);
  } else if (torch !== undefined) {
    const { code, stdout } = await torchT5([torch, "--help"]);
    if (code !== 0) throw new Error(`torch-t5 has no command ${torch}`);
    checkFlags(flags, stdout, command);
  } else if (command.startsWith("npm run bench -- ")) {
    checkFlags(flags, await help(process.execPath, [join(root, "bench", "main.mjs"), "--help"]), command);
  } else if (command.startsWith("python3 scripts/gpu-check")) {
    checkFlags(flags, await help(pythonPath(), [join(root, "scripts", "gpu-check"), "--help"]), command);
  } else if (script !== undefined && !["install", "pack"].includes(script)) {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    if (scripts[script] === undefined) throw new Error(`package.json has no script ${script}`);
  } else if (command.startsWith("from t5_export import ")) {
    const exported = readFileSync(join(root, "scripts", "export", "t5_export", "__init__.py"), "utf8");
    for (const name of command.slice("from t5_export import ".length).split(", ")) {
      if (!exported.includes(name)) throw new Error(`t5_export has no ${name}`);
    }
  }
  for (const path of words.filter((word) => /^(test|scripts|examples)\/[\w./-]+$/.test(word))) {
    if (!existsSync(join(root, path))) throw new Error(`There is no ${path}`);
  }
}

function checkFlags(flags: readonly string[], helpText: string, command: string): void {
  for (const flag of flags) {
    if (!new RegExp(`${flag}(?![\\w-])`).test(helpText)) throw new Error(`There is no ${flag} for: ${command}`);
  }
}

async function help(program: string, args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await runToEnd(program, args);
  return stdout + stderr;
}
