// Runs JavaScript and TypeScript blocks one after the other in one process:
//   node --import tsx run-blocks.mjs <blocks.json>
// The file contains `[{ path, directory }]`. The last line on stdout is `[{ output, error }]` as JSON. The global `t5` is
// the embedded model, for blocks that load none.
import { readFileSync } from "node:fs";
import process, { argv, chdir, exit, stdout } from "node:process";
import { pathToFileURL } from "node:url";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";

globalThis.t5 = await T5ForConditionalGeneration.fromPretrained(demoModel);

const write = stdout.write.bind(stdout);
const results = [];
for (const { path, directory } of JSON.parse(readFileSync(argv[2], "utf8"))) {
  chdir(directory);
  let output = "";
  stdout.write = (chunk) => {
    output += chunk;
    return true;
  };
  let error;
  try {
    await import(pathToFileURL(path));
  } catch (thrown) {
    error = thrown?.stack ?? String(thrown);
  }
  // A block that fails without an exception sets the exit code.
  if (process.exitCode) error ??= `exit code ${process.exitCode}`;
  process.exitCode = 0;
  stdout.write = write;
  results.push({ output, error });
}
write(`\n${JSON.stringify(results)}\n`, () => exit(0));
