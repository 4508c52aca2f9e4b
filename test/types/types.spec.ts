import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const compiler = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));

describe("the types of the package", () => {
  for (const [project, config] of [
    ["a strict project", "tsconfig.json"],
    ["a project without `strict`", "tsconfig.without-strict.json"],
  ] as const) {
    it(`in ${project}, results have the type that the options request, and wrong arguments do not compile`, () => {
      const args = [compiler, "--project", join(folder, config)];
      const { status, stdout } = spawnSync(execPath, args, { encoding: "utf8" });
      assert.equal(status, 0, stdout);
    });
  }
});
