// Runs examples one after another in this process, on the runtime that runs this file. They write to standard output.
import process, { argv } from "node:process";

const names = argv.splice(2);
for (const name of names) {
  process.stdout.write(`--- ${name}\n`);
  await import(new URL(`../../../examples/${name}.mjs`, import.meta.url).href);
}
