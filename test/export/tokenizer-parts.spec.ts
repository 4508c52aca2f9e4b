import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { demoModel, T5Tokenizer } from "torch-t5";
import { runHelper } from "./exporter.js";
import { Folders, readJson } from "./folders.js";

describe("the exporter's list of a tokenizer's parts", () => {
  const folders = new Folders();
  after(() => folders.remove());

  it("has the types that T5Tokenizer supports", async () => {
    const listed = JSON.parse(await runHelper("tokenizer_parts", [])) as Record<string, readonly string[]>;
    assert.deepEqual(Object.keys(listed), ["normalizer", "pre_tokenizer", "post_processor", "decoder"]);
    for (const [part, types] of Object.entries(listed)) {
      const directory = folders.empty();
      const settings = { ...readJson(join(demoModel, "tokenizer.json")), [part]: { type: "Unknown" } };
      writeFileSync(join(directory, "tokenizer.json"), JSON.stringify(settings));
      const error = await T5Tokenizer.fromPretrained(directory).catch((reason: unknown) => reason);
      assert.ok(error instanceof Error);
      assert.equal(/Expected one of (.*) for /.exec(error.message)?.[1], types.join(", "));
    }
  });
});
