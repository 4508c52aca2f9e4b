// Completes what the TypeScript compiler wrote: declarations that older compilers read as well, and, for CommonJS, the module that
// `require` loads and the same declarations once more.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Typed arrays have a type parameter since TypeScript 5.7. Without one, they mean the same to newer compilers. */
const TYPE_ARGUMENT = /\b(\w+Array)<ArrayBuffer(?:Like)?>/g;

/** Completes `out`, which was compiled from `sources`. */
export function completeDeclarations(sources, out) {
  const commonJs = join(out, "commonjs");
  for (const name of readdirSync(out, { recursive: true }).filter((name) => name.endsWith(".d.ts"))) {
    const text = readFileSync(join(out, name), "utf8").replace(TYPE_ARGUMENT, "$1");
    writeFileSync(join(out, name), text);
    // The command line is no part of the module.
    if (/^cli\b/.test(name)) continue;
    mkdirSync(dirname(join(commonJs, name)), { recursive: true });
    writeFileSync(join(commonJs, name), text);
  }
  writeFileSync(join(commonJs, "package.json"), '{ "type": "commonjs" }\n');
  copyFileSync(join(sources, "commonjs", "index.cjs"), join(commonJs, "index.cjs"));
}
