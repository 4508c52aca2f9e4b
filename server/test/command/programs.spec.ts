import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { demoModel } from "torch-t5";
import { withDirectory } from "../../../test/support/directory.js";
import { TestServer } from "../support/server.js";

const POLL_MS = 20;

function writeProgram(path: string, body: string): string {
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** A Python whose exporter runs a command: $2 is the name of the model, $3 the directory to write. */
function writePython(directory: string, exporter: string): string {
  const path = join(directory, "python");
  const packages = JSON.stringify({ executable: path, version: "3.11.0", missing: [] });
  return writeProgram(path, `if [ "$1" = -c ]; then echo '${packages}'; exit 0; fi\n${exporter}`);
}

async function fileOf(path: string): Promise<string> {
  while (!existsSync(path) || readFileSync(path, "utf8") === "") await setTimeout(POLL_MS);
  return readFileSync(path, "utf8").trim();
}

describe("a model of the hub", () => {
  const models = [{ name: "hub", hub: "org/model", precision: "float32", device: "cpu", intraOpThreads: 1 }];

  it("is exported once", () =>
    withDirectory(async (directory) => {
      const cache = join(directory, "models");
      mkdirSync(cache);
      const log = join(directory, "log");
      const python = writePython(directory, `echo "$2" >> '${log}'\ncp -r '${demoModel}' "$3"`);
      for (let run = 0; run < 2; run++) {
        const server = await TestServer.start({ models }, { TORCH_T5_MODELS: cache, TORCH_T5_PYTHON: python });
        assert.deepEqual(await server.json("/generate", { inputs: "spell number: 7" }), { generated_text: "seven" });
        await server.stop();
      }
      assert.equal(readFileSync(log, "utf8"), "org/model\n");
    }));

  it("is no longer exported after SIGTERM, and the server ends with 0", () =>
    withDirectory(async (directory) => {
      const pidFile = join(directory, "pid");
      const python = writePython(directory, `echo $$ > '${pidFile}'\nexec sleep 600`);
      const env = { TORCH_T5_MODELS: directory, TORCH_T5_PYTHON: python };
      const server = await TestServer.start({ models }, env, "listens on");
      const pid = Number(await fileOf(pidFile));
      assert.deepEqual(await server.stop(), { code: 0, signal: null });
      assert.doesNotMatch(server.stderr, /ERR_/);
      assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
    }));
});

describe("--open", () => {
  it("opens the inspector once the models are loaded", () =>
    withDirectory(async (directory) => {
      const opened = join(directory, "opened");
      for (const name of ["xdg-open", "open"]) writeProgram(join(directory, name), `echo "$1" > '${opened}'`);
      const env = { PATH: `${directory}${delimiter}${process.env.PATH ?? ""}` };
      const server = await TestServer.start({}, env, "is ready", ["--open"]);
      assert.equal(await fileOf(opened), `${server.url}/inspect/`);
      await server.stop();
    }));

  it("does no harm where there is no browser", async () => {
    const server = await TestServer.start({}, { PATH: "/nonexistent" }, "is ready", ["--open"]);
    assert.equal((await server.fetch("/health")).status, 200);
    assert.equal((await server.stop()).code, 0);
  });
});
