// Loads a second copy of the addon, as two versions of the package in one process do.
import { Buffer } from "node:buffer";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { demoModel, runtimeInfo } from "torch-t5";
import { load, short } from "./shared.mjs";

const t5 = await load();
const expected = (await t5.forward(short)).logits.data;

const { addonPath, libtorch } = runtimeInfo();
const folder = mkdtempSync(join(tmpdir(), "torch-t5-copy-"));
copyFileSync(addonPath, join(folder, "copy.node"));
const copy = createRequire(import.meta.url)(join(folder, "copy.node"));
rmSync(folder, { recursive: true });
const model = await copy.load({
  path: join(demoModel, "model.pt"),
  hiddenStatesPath: "",
  attentionsPath: "",
  device: "cpu",
  libtorchDirectory: libtorch.directory,
  intraOpThreads: 1,
  interOpThreads: 0,
  kind: "generation",
  maxQueueLength: 0,
  maxBatchSize: 1,
  maxBatchTokens: 1,
  maxCacheBytes: 1,
  precision: "exact",
});
const { logits } = await model.forward({
  scheduling: { id: 1, priority: 0, isObserved: false },
  source: { batch: 1, length: 5, inputIds: Int32Array.from(short.inputIds[0]) },
  targetLength: 3,
  decoderInputIds: Int32Array.from(short.decoderInputIds[0]),
  topK: 0,
  hiddenStates: false,
  outputHiddenStates: false,
  outputAttentions: false,
  loss: false,
});
const again = (await t5.forward(short)).logits.data;
const equal = [logits.data, again].map((data) => Buffer.from(data.buffer).equals(Buffer.from(expected.buffer)));
console.log(JSON.stringify({ equal }));
await Promise.all([model.dispose(), t5.dispose()]);
copy.shutDown();
