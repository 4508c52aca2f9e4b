import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, cpSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeInstalledProject, succeed, withLibtorch } from "../support/packed.js";
import { newerNode, toolPath } from "../support/tools.js";
import { cases } from "./extent.js";

const bundleProgram = fileURLToPath(new URL("programs/bundle.mjs", import.meta.url));
const entry = fileURLToPath(new URL("fixtures/bundlers/entry.mjs", import.meta.url));
const BUNDLED =
  /^Expected torch-t5 to be an installed package but it was bundled into .*; make it external \(esbuild: .*webpack: .*Rollup: .*Vite: .*Next\.js: .*\) and install it where the program runs\n/;

describe("a bundled program", () => {
  let project: string;
  before(async () => {
    project = mkdtempSync(join(tmpdir(), "torch-t5-test-"));
    await makeInstalledProject(project);
    cpSync(entry, join(project, "entry.mjs"));
  });
  after(() => rmSync(project, { recursive: true, force: true }));

  /** Bundles the program. Returns the path of the bundle. */
  async function bundle(bundler: string, format: string, place: "external" | "inside"): Promise<string> {
    rmSync(join(project, "out"), { recursive: true, force: true });
    const args = [bundleProgram, bundler, toolPath(), format, place];
    await succeed(newerNode, args, project);
    return join(project, "out", format === "cjs" ? "bundle.cjs" : "bundle.mjs");
  }

  const bundles = [
    ["esbuild", "esm"],
    ["webpack", "cjs"],
    ["esbuild", "cjs"],
    ["rollup", "esm"],
    ["vite", "esm"],
  ] as const;
  for (const [bundler, format] of cases(bundles, 2)) {
    it(`runs with torch-t5 as an external of ${bundler} (${format})`, async () => {
      const { stdout } = await succeed(newerNode, [await bundle(bundler, format, "external")], project, withLibtorch());
      assert.equal(stdout, "seven\n");
    });

    it(`of ${bundler} (${format}) that contains torch-t5 runs beside the package, and says what to do without it`, async () => {
      const path = await bundle(bundler, format, "inside");
      assert.equal((await succeed(newerNode, [path], project, withLibtorch())).stdout, "seven\n");
      // On another machine, where the package is not installed.
      const alone = mkdtempSync(join(tmpdir(), "torch-t5-test-"));
      const modules = join(project, "node_modules");
      renameSync(modules, `${modules}.away`);
      try {
        cpSync(join(project, "out"), alone, { recursive: true });
        const file = join(alone, format === "cjs" ? "bundle.cjs" : "bundle.mjs");
        // Into a file: Node.js prints the line that throws, here the whole bundle, and drops what a pipe can't take.
        const log = join(alone, "stderr.txt");
        const output = openSync(log, "w");
        const env = { ...process.env, ...withLibtorch() };
        const { status } = spawnSync(newerNode, [file], { cwd: alone, env, stdio: ["ignore", "ignore", output] });
        closeSync(output);
        assert.equal(status, 1);
        const stderr = readFileSync(log, "utf8");
        const message = stderr.split("\n").find((line) => line.includes("Expected torch-t5 to be")) ?? stderr;
        assert.match(`${message.replace(/^.*?(?=Expected)/, "")}\n`, BUNDLED);
      } finally {
        renameSync(`${modules}.away`, modules);
        rmSync(alone, { recursive: true, force: true });
      }
    });
  }
});
