import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runtimeInfo } from "torch-t5";

const root = fileURLToPath(new URL("../../", import.meta.url));

describe("the binaries", () => {
  const { addonPath, libtorch } = runtimeInfo();
  const folder = dirname(addonPath);

  for (const name of ["torch_t5.node", "torch_t5_preload.node"]) {
    it(`contain no path of the machine that built them: ${name}`, () => {
      const binary = readFileSync(join(folder, name), "latin1");
      assert.ok(binary.includes("napi_"), "a Node-API module");
      for (const path of [root, libtorch.directory, dirname(libtorch.directory)]) {
        assert.equal(binary.indexOf(path), -1, `found ${path}`);
      }
    });
  }
});
