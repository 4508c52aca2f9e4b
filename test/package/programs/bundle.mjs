// Bundles the program of the working directory: `bundle.mjs <bundler> <tools> <format> <external>`. torch-t5 is bundled, too, unless
// `external` is "external", with the setting that docs/deploying.md shows.
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { argv, cwd } from "node:process";
import { pathToFileURL } from "node:url";

const [bundler, tools = "", format, isExternal] = argv.slice(2);
const load = async (name) => import(pathToFileURL(createRequire(resolve(tools, "package.json")).resolve(name)).href);
const entry = resolve("entry.mjs");
const output = resolve("out", format === "cjs" ? "bundle.cjs" : "bundle.mjs");
const names = isExternal === "external" ? ["torch-t5"] : [];
const inside = resolve("node_modules", "torch-t5", "dist", "index.js");

const bundlers = {
  async esbuild() {
    const { build } = await load("esbuild");
    await build({
      entryPoints: [entry],
      bundle: true,
      platform: "node",
      format,
      outfile: output,
      external: names,
      logLevel: "error",
    });
  },
  async webpack() {
    const { default: webpack } = await load("webpack");
    const settings = {
      mode: "production",
      target: "node20",
      context: cwd(),
      entry,
      output: { path: resolve("out"), filename: "bundle.cjs" },
      externals: Object.fromEntries(names.map((name) => [name, `node-commonjs ${name}`])),
    };
    const stats = await new Promise((done, fail) => {
      webpack(settings, (error, result) => (error ? fail(error) : done(result)));
    });
    if (stats.hasErrors()) throw new Error(stats.toString("errors-only"));
  },
  async rollup() {
    const { rollup } = await load("rollup");
    // In place of @rollup/plugin-node-resolve.
    const nodeResolve = { name: "resolve", resolveId: (id) => (id === "torch-t5" ? inside : null) };
    const onwarn = () => {};
    const bundle = await rollup({ input: entry, external: [...names, /^node:/], plugins: [nodeResolve], onwarn });
    await bundle.write({ file: output, format: format === "cjs" ? "cjs" : "es", inlineDynamicImports: true });
  },
  async vite() {
    const { build } = await load("vite");
    await build({
      root: cwd(),
      logLevel: "error",
      build: { ssr: entry, outDir: "out", rollupOptions: { output: { entryFileNames: "bundle.mjs" } } },
      ssr: names.length > 0 ? { external: names } : { noExternal: true },
    });
  },
};

await bundlers[bundler]();
