import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "#lib/loading/config.js";
import { type ExportedDirectory, verifyContents, verifySizes } from "#lib/loading/directory.js";
import { sha256, sha256Sync } from "#lib/loading/hash.js";
import { parseManifest } from "#lib/loading/manifest.js";
import { withDirectory } from "../support/directory.js";

const PIECE_BYTES = 4 * 2 ** 20;
const LARGE_BYTES = 40 * 2 ** 20;

/** Bytes that differ from piece to piece. */
function makeBytes(count: number): Buffer {
  const bytes = Buffer.alloc(count, "torch-t5, ");
  for (let at = 0; at < count; at += 65_537) bytes.writeUInt8((at / 65_537) % 256, at);
  return bytes;
}

const digestOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** Writes a directory whose archive is `bytes`, with its manifest. */
function writeModel(path: string, bytes: Buffer): ExportedDirectory {
  const config = Buffer.from("{}");
  writeFileSync(join(path, "config.json"), config);
  writeFileSync(join(path, "model.pt"), bytes);
  const manifest = parseManifest({
    formatVersion: 1,
    torch: "2.15.0",
    transformers: "5.23.0",
    modelType: "t5",
    architecture: "T5ForConditionalGeneration",
    attention: "sdpa",
    dtype: "float32",
    intraOpThreads: 1,
    files: {
      "model.pt": { bytes: bytes.length, sha256: digestOf(bytes) },
      "config.json": { bytes: config.length, sha256: digestOf(config) },
    },
  });
  const raw = { model_type: "t5", vocab_size: 2, d_model: 1, d_kv: 1, d_ff: 1, num_layers: 1, num_heads: 1 };
  return { path, manifest, config: parseConfig(raw, {}), configFile: raw, generationConfig: {}, embedding: undefined };
}

describe("the SHA-256 of a file", () => {
  for (const count of [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 7]) {
    it(`is right for ${count} bytes`, async () => {
      await withDirectory(async (directory) => {
        const path = join(directory, "file");
        const bytes = makeBytes(count);
        writeFileSync(path, bytes);
        assert.equal(await sha256(path, count), digestOf(bytes));
        assert.equal(sha256Sync(path, count), digestOf(bytes));
      });
    });
  }
});

describe("a large archive", () => {
  it("is hashed on a worker thread, while the event loop runs", async () => {
    await withDirectory(async (path) => {
      const model = writeModel(path, makeBytes(LARGE_BYTES));
      await verifySizes(model);
      let turns = 0;
      const turning = setInterval(() => turns++, 1);
      await verifyContents(model);
      clearInterval(turning);
      assert.ok(turns > 2, `the loop turned ${turns} times`);
    });
  });

  it("is refused when one byte at its end was changed", async () => {
    await withDirectory(async (path) => {
      const bytes = makeBytes(LARGE_BYTES);
      const model = writeModel(path, bytes);
      bytes.writeUInt8(255 - bytes.readUInt8(LARGE_BYTES - 1), LARGE_BYTES - 1);
      writeFileSync(join(path, "model.pt"), bytes);
      await assert.rejects(verifyContents(model), { code: "ERR_MODEL_CORRUPT", message: /for model\.pt/ });
    });
  });
});
