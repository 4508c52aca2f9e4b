// Runs JavaScript and TypeScript blocks one after the other in one process:
//   node --import tsx run-blocks.mjs <blocks.json>
// The file has `[{ path, directory }]`. The last line on stdout is `[{ output, error }]` as JSON. A block that names no model of
// its own finds the embedded one as `t5`.
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
  // A failure that a block would end the process with.
  if (process.exitCode) error ??= `exit code ${process.exitCode}`;
  process.exitCode = 0;
  stdout.write = write;
  results.push({ output, error });
}
write(`\n${JSON.stringify(results)}\n`, () => exit(0));
