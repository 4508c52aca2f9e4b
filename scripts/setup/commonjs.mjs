// Completes dist/ for CommonJS: the module that `require` loads, and the same types once more, as those of CommonJS modules.
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Writes `<out>/commonjs` after the compiler has written `<out>`. */
export function writeCommonJs(sources, out) {
  const folder = join(out, "commonjs");
  const types = readdirSync(out, { recursive: true }).filter((name) => name.endsWith(".d.ts"));
  for (const name of types.filter((name) => !/^(cli|commonjs)\b/.test(name))) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    copyFileSync(join(out, name), join(folder, name));
  }
  writeFileSync(join(folder, "package.json"), '{ "type": "commonjs" }\n');
  copyFileSync(join(sources, "commonjs", "index.cjs"), join(folder, "index.cjs"));
}
