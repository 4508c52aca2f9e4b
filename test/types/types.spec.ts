import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const compiler = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));

describe("the types of the package", () => {
  it("results have the type that the options request, and wrong arguments do not compile", () => {
    const { status, stdout } = spawnSync(execPath, [compiler, "--project", join(folder, "tsconfig.json")], {
      encoding: "utf8",
    });
    assert.equal(status, 0, stdout);
  });
});
