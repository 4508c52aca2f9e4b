// The package's own folder, which has the addon and the embedded model.
import { readFileSync } from "node:fs";
import Module from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { T5Error } from "../util/errors.js";

const NAME = "torch-t5";

/** How bundlers are told to leave the package out. */
const EXTERNAL = [
  `esbuild: --external:${NAME}`,
  `webpack: externals: { "${NAME}": "node-commonjs ${NAME}" }`,
  `Rollup: external: ["${NAME}"]`,
  `Vite: ssr: { external: ["${NAME}"] }`,
  `Next.js: serverExternalPackages: ["${NAME}"]`,
].join("; ");

/** The folder of the package.json of this package. */
export const packageRoot: string = findPackageRoot(import.meta.url);

/**
 * A bundle contains this file, but not the package's others: then the installed package is searched for, from the bundle,
 * the program that runs, and the working directory. `url`: of this module; undefined in a bundle of CommonJS.
 */
function findPackageRoot(url: string | undefined): string {
  const file = url?.startsWith("file:") ? fileURLToPath(url) : undefined;
  const own = file && dirname(dirname(dirname(file)));
  if (own && isPackage(own)) return own;
  for (const from of [file, process.argv[1], join(process.cwd(), "program.js")]) {
    try {
      if (from) return dirname(Module.createRequire(from).resolve(`${NAME}/package.json`));
    } catch {
      // It is not installed there.
    }
  }
  const message = `Expected ${NAME} to be an installed package but it was bundled into ${file ?? process.argv[1]}; make it external (${EXTERNAL}) and install it where the program runs`;
  throw new T5Error("ERR_INTERNAL", message);
}

function isPackage(folder: string): boolean {
  try {
    const { name }: { readonly name?: unknown } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return name === NAME;
  } catch {
    return false;
  }
}
