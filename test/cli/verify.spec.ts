import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { demoModel } from "torch-t5";
import { torchT5 } from "../support/cli.js";
import { vouchFor, withModelCopy } from "../support/directory.js";

/** Adds `difference` to the last logit of the last probe, and signs the file again. */
function changeLastLogit(directory: string, difference: number): void {
  const path = join(directory, "parity.safetensors");
  const file = readFileSync(path);
  file.writeFloatLE(file.readFloatLE(file.length - 4) + difference, file.length - 4);
  writeFileSync(path, file);
  vouchFor(directory, "parity.safetensors");
}

const probes = /^probe\.\d+: encoder \[\d+, \d+\], decoder \[\d+, \d+\]: (.*)$/gm;

describe("torch-t5 verify", () => {
  it("replays every probe of the embedded model and says how it compares", async () => {
    const { code, stdout, stderr } = await torchT5(["verify", demoModel]);
    assert.deepEqual([code, stderr], [0, ""]);
    const said = [...stdout.matchAll(probes)].map((match) => match[1]);
    assert.ok(said.length > 0);
    for (const one of said) assert.match(one ?? "", /^(bitwise equal|largest difference \d\.\d+e-\d+)$/);
  });

  it("names the largest difference and passes it within the tolerance only", async () => {
    await withModelCopy(async (directory) => {
      changeLastLogit(directory, 0.5);
      const strict = await torchT5(["verify", directory]);
      assert.equal(strict.code, 1);
      assert.match(strict.stdout, /: largest difference 5\.00e-1\n/);
      assert.match(strict.stdout, /\nNot equal: the largest difference is 5\.00e-1, more than 0\.0001\.\n$/);
      const lenient = await torchT5(["verify", directory, "--tolerance", "1"]);
      assert.equal(lenient.code, 0);
      assert.match(lenient.stdout, /All probes are within 1: the rounding of another CPU than the export's\.\n$/);
      assert.equal((await torchT5(["verify", directory, "--tolerance", "1", "--exact"])).code, 1);
    });
  });

  it("refuses a model whose files aren't what its manifest says", async () => {
    await withModelCopy(async (directory) => {
      writeFileSync(join(directory, "parity.safetensors"), "changed");
      const { code, stdout, stderr } = await torchT5(["verify", directory]);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /parity\.safetensors .*\(ERR_MODEL_CORRUPT\)\n$/);
    });
  });
});
