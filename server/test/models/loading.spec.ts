import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";
import { filesOf, HubServer, repositoryOf } from "../../../test/hub/server.js";
import { writeCheckpoint } from "../../../test/support/checkpoint.js";
import { withDirectory } from "../../../test/support/directory.js";
import { TestServer } from "../support/server.js";

const OPTIONS = { precision: "float32", device: "cpu", intraOpThreads: 1 } as const;
const IDS = [5, 2, 7, 1];

interface Inferred {
  readonly outputs: readonly { readonly shape: readonly number[]; readonly data: readonly number[] }[];
}

function infer(server: TestServer, ids: readonly number[] = IDS): Promise<Inferred> {
  const input = { name: "input_ids", datatype: "INT64", shape: [1, ids.length], data: ids };
  return server.json("/v2/models/a/infer", { inputs: [input] });
}

/** The logits that the server answers, which are those of the library, bit for bit. */
async function expectedOf(directory: string): Promise<readonly number[]> {
  await using t5 = await T5ForConditionalGeneration.fromPretrained(directory, OPTIONS);
  const { logits } = await t5.forward({ inputIds: [IDS] });
  return [...logits.data];
}

/** What a server prints that can't load its model, and its exit code. */
async function failure(model: object, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const server = await TestServer.start({ models: [{ name: "a", ...OPTIONS, ...model }] }, env, "listens on");
  const { code } = await server.ended;
  return `${server.stderr}${code}`;
}

describe("a Hugging Face directory", () => {
  it("is served with the library's bits, and with maxInputTokens", () =>
    withDirectory(async (directory) => {
      writeCheckpoint(directory);
      const expected = await expectedOf(directory);
      const server = await TestServer.start({
        models: [{ name: "a", path: directory, ...OPTIONS, maxInputTokens: 4 }],
      });
      const { outputs } = await infer(server);
      assert.deepEqual(outputs[0]?.data, expected);
      await assert.rejects(infer(server, [...IDS, 1]), /400.*ERR_INVALID_ARGUMENT/);
      await server.stop();
    }));

  it("is refused in exact, with the command that exports it", () =>
    withDirectory(async (directory) => {
      writeCheckpoint(directory);
      assert.match(
        await failure({ path: directory, precision: "exact" }),
        /run `npx torch-t5 export .*`.* \(ERR_INVALID_ARGUMENT\)\n2$/,
      );
    }));
});

describe("a model of the hub", () => {
  let hub: HubServer;
  before(async () => {
    hub = await HubServer.start();
  });
  after(() => hub.close());

  const environment = (home: string) => ({
    ...{ HF_HOME: home, HF_HUB_CACHE: join(home, "hub"), HF_ENDPOINT: hub.endpoint, HF_TOKEN: "" },
    ...{ HF_HUB_OFFLINE: "", TRANSFORMERS_OFFLINE: "" },
  });
  const models = [{ name: "a", hub: "org/model", ...OPTIONS }];

  it("is downloaded once, whether it is an export or a checkpoint", () =>
    withDirectory(async (directory) => {
      const checkpoint = join(directory, "checkpoint");
      mkdirSync(checkpoint);
      writeCheckpoint(checkpoint);
      hub.add("org/model", repositoryOf(filesOf(checkpoint)));
      hub.add("org/demo", repositoryOf(filesOf(demoModel), ["v1"]));
      const all = [...models, { name: "demo", hub: "org/demo", revision: "v1", ...OPTIONS }];
      const expected = await expectedOf(checkpoint);
      for (let run = 0; run < 2; run++) {
        const server = await TestServer.start({ models: all }, environment(directory));
        assert.deepEqual((await infer(server)).outputs[0]?.data, expected);
        const body = { model: "demo", inputs: "spell number: 7" };
        assert.deepEqual(await server.json("/generate", body), { generated_text: "seven" });
        await server.stop();
      }
      const weights = hub.downloads().filter((path) => /^model\./.test(path));
      assert.deepEqual(weights.sort(), ["model.pt", "model.safetensors"]);
    }));

  it("ends the server with 1 if the hub lacks it, or a file of it", () =>
    withDirectory(async (directory) => {
      assert.match(await failure({ hub: "org/other" }, environment(directory)), /ERR_MODEL_NOT_FOUND\)\n1$/);
      hub.add("org/empty", repositoryOf({ "README.md": "" }));
      assert.match(await failure({ hub: "org/empty" }, environment(directory)), /ERR_MODEL_NOT_FOUND\)\n1$/);
    }));

  it("is no longer downloaded after SIGTERM, and the server ends with 0", () =>
    withDirectory(async (directory) => {
      // A hub that accepts requests and never answers.
      const silent = createServer(() => {});
      silent.listen(0, "127.0.0.1");
      await once(silent, "listening");
      const asked = once(silent, "request");
      const { port } = silent.address() as AddressInfo;
      const env = { ...environment(directory), HF_ENDPOINT: `http://127.0.0.1:${port}` };
      const server = await TestServer.start({ models }, env, "listens on");
      await asked;
      assert.deepEqual(await server.stop(), { code: 0, signal: null });
      assert.doesNotMatch(server.stderr, /ERR_/);
      silent.closeAllConnections();
      silent.close();
    }));
});
