// The data files of lib/tokenizer/unicode/ equal those that scripts/unicode-tables writes for the installed tokenizers.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withDirectory } from "../../support/directory.js";
import { pythonPath } from "../../support/python.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const library = join(root, "lib", "tokenizer", "unicode");

describe("the Unicode tables", function () {
  this.timeout(0);

  it("are those of the installed tokenizers", () =>
    withDirectory((directory) => {
      execFileSync(pythonPath(), [join(root, "scripts", "unicode-tables"), directory]);
      const written = readdirSync(library).filter((name) => name.endsWith("-data.ts"));
      assert.deepEqual(readdirSync(directory).sort(), written.sort());
      for (const name of written) {
        assert.ok(readFileSync(join(directory, name)).equals(readFileSync(join(library, name))), name);
      }
    }));
});
