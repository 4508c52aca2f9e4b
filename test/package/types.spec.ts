import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runToEnd } from "../support/program.js";
import { toolPath } from "../support/tools.js";
import { cases } from "./extent.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const fixtures = fileURLToPath(new URL("fixtures/types", import.meta.url));

/** What declares AbortSignal and URL. */
const ENVIRONMENTS = {
  "Node's types": ["--lib", "es2022", "--types", "node", "--typeRoots", join(root, "node_modules", "@types")],
  // A folder without packages: none is included.
  "the browser's types": ["--lib", "es2022,dom,dom.iterable", "--typeRoots", "types"],
} as const;

/** TypeScript 7, the oldest, and those between, each with one environment or both. */
const COMPILERS: readonly (readonly [version: string, compiler: string, types: keyof typeof ENVIRONMENTS])[] = [
  ["7", join(root, "node_modules", "typescript", "bin", "tsc"), "Node's types"],
  ["7", join(root, "node_modules", "typescript", "bin", "tsc"), "the browser's types"],
  ["5.2", toolPath("typescript-5.2", "bin", "tsc"), "the browser's types"],
  ["5.9", toolPath("typescript-5.9", "bin", "tsc"), "Node's types"],
  ["6", toolPath("typescript", "bin", "tsc"), "Node's types"],
];

describe("the declarations of the package, without skipLibCheck,", () => {
  let project: string;
  before(() => {
    project = mkdtempSync(join(tmpdir(), "torch-t5-test-"));
    cpSync(fixtures, project, { recursive: true });
    // As npm unpacks it: the declarations alone, without the checkout's sources and tsconfig.json.
    const installed = join(project, "node_modules", "torch-t5");
    mkdirSync(installed, { recursive: true });
    mkdirSync(join(project, "types"));
    cpSync(join(root, "package.json"), join(installed, "package.json"));
    cpSync(join(root, "dist"), join(installed, "dist"), { recursive: true });
  });
  after(() => rmSync(project, { recursive: true, force: true }));

  for (const [version, compiler, types] of cases(COMPILERS, 3)) {
    it(`compile with TypeScript ${version} and ${types}, from ECMAScript modules and CommonJS`, async () => {
      const common = [
        "--noEmit",
        "--strict",
        "--exactOptionalPropertyTypes",
        "--target",
        "es2022",
        "--module",
        "node16",
      ];
      const args = [compiler, ...common, ...ENVIRONMENTS[types], ...readdirSync(fixtures)];
      const { code, stdout } = await runToEnd(process.execPath, args, { cwd: project });
      assert.deepEqual([stdout, code], ["", 0]);
    });
  }
});
