import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeInstalledProject, succeed, withLibtorch } from "../support/packed.js";
import { newerNode, toolPath } from "../support/tools.js";
import { cases } from "./extent.js";

const userTests = fileURLToPath(new URL("fixtures/test-runners/cases.mjs", import.meta.url));
const TESTS = 3;

describe("tests of users, each runner with realms of its own,", () => {
  let project: string;
  before(async () => {
    project = mkdtempSync(join(tmpdir(), "torch-t5-test-"));
    await makeInstalledProject(project);
    copyFileSync(userTests, join(project, "cases.mjs"));
    const imports = 'import * as torchT5 from "torch-t5";\nimport { defineTests } from "./cases.mjs";\n';
    writeFileSync(join(project, "esm.test.mjs"), `${imports}defineTests(torchT5);\n`);
    // As CommonJS projects load the package.
    const source = readFileSync(userTests, "utf8").replace("export function", "function");
    const required = 'const torchT5 = require("torch-t5");\n';
    writeFileSync(join(project, "commonjs.test.cjs"), `${required}${source}defineTests(torchT5);\n`);
  });
  after(() => rmSync(project, { recursive: true, force: true }));

  /** Runs Jest on one file and checks that every test passed. */
  async function runJest(node: string, file: string, options: string): Promise<void> {
    const config = {
      testEnvironment: "node",
      transform: {},
      testMatch: [`<rootDir>/${file}`],
      moduleFileExtensions: ["mjs", "cjs", "js", "json"],
    };
    const args = [
      toolPath("jest", "bin", "jest.js"),
      "--rootDir",
      project,
      "--runInBand",
      "--config",
      JSON.stringify(config),
      "--json",
    ];
    const { stdout } = await succeed(node, args, project, { ...withLibtorch(), NODE_OPTIONS: options });
    const { numPassedTests, numTotalTests } = JSON.parse(stdout);
    assert.deepEqual([numPassedTests, numTotalTests], [TESTS, TESTS]);
  }

  it("pass in Jest with ECMAScript modules", () =>
    runJest(process.execPath, "esm.test.mjs", "--experimental-vm-modules"));

  for (const node of cases([...new Set([newerNode, process.execPath])], 1)) {
    it(`pass in Jest with CommonJS on ${node === newerNode ? "Node.js 24" : "this Node.js"}`, () =>
      runJest(node, "commonjs.test.cjs", ""));
  }

  for (const pool of cases(["vmThreads", "vmForks", "threads", "forks"], 1)) {
    it(`pass in Vitest's pool ${pool}`, async () => {
      const args = [
        toolPath("vitest", "vitest.mjs"),
        "run",
        "--root",
        project,
        "--globals",
        `--pool=${pool}`,
        "--reporter=json",
        "--outputFile=results.json",
        "esm.test.mjs",
      ];
      await succeed(newerNode, args, project, withLibtorch());
      const { numPassedTests, numTotalTests } = JSON.parse(readFileSync(join(project, "results.json"), "utf8"));
      assert.deepEqual([numPassedTests, numTotalTests], [TESTS, TESTS]);
    });
  }
});
