import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { withDirectory } from "../../../test/support/directory.js";
import { TestServer } from "../support/server.js";

const POLL_MS = 20;

function writeProgram(path: string, body: string): string {
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

async function fileOf(path: string): Promise<string> {
  while (!existsSync(path) || readFileSync(path, "utf8") === "") await setTimeout(POLL_MS);
  return readFileSync(path, "utf8").trim();
}

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
