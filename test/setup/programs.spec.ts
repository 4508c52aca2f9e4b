import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { withDirectory } from "../support/directory.js";
import { type Ended, runToEnd } from "../support/program.js";

const installer = fileURLToPath(new URL("programs/install-programs.mjs", import.meta.url));
/** Programs that set-up runs, or that an apt-get of the tests needs. */
const BASICS = ["sh", "env", "chmod"];
/** In place of /usr/sbin/policy-rc.d. */
const policyOf = (directory: string) => join(directory, "policy-rc.d");

/** Installs with a PATH of the basics and a program named apt-get, whose lines are of sh. */
async function install(directory: string, aptGet: readonly string[], user = "root"): Promise<Ended> {
  for (const name of BASICS) {
    const { stdout } = await runToEnd("sh", ["-c", `command -v ${name}`]);
    symlinkSync(stdout.trim(), join(directory, name));
  }
  const log = join(directory, "log");
  const lines = ["#!/bin/sh", `echo "$DEBIAN_FRONTEND $*" >> '${log}'`, ...aptGet];
  writeFileSync(join(directory, "apt-get"), `${lines.join("\n")}\n`);
  chmodSync(join(directory, "apt-get"), 0o755);
  return runToEnd(execPath, [installer, user, policyOf(directory)], { env: { PATH: directory } });
}

describe("programs of the system", () => {
  it("are installed by apt-get without questions, and without starting services", () =>
    withDirectory(async (directory) => {
      const program = (name: string) =>
        `echo '#!/bin/sh' > '${join(directory, name)}'; chmod +x '${join(directory, name)}'`;
      const seen = join(directory, "seen");
      const { stdout } = await install(directory, [
        'case "$*" in *install*)',
        ...["redis-server", "chromium", "nginx"].map(program),
        `test -x '${policyOf(directory)}' && echo > '${seen}'`,
        "esac",
      ]);
      assert.equal(stdout, "installed");
      const [, update = "", installed = ""] = readFileSync(join(directory, "log"), "utf8").split("\n");
      assert.match(update, /^noninteractive .*force-confold .*update$/);
      assert.match(
        installed,
        /^noninteractive .* install -y --no-install-recommends redis-server chromium( nginx-light)?$/,
      );
      assert.ok(existsSync(seen));
      assert.equal(existsSync(policyOf(directory)), false);
      // All are there now.
      const again = await runToEnd(execPath, [installer, "user", policyOf(directory)], { env: { PATH: directory } });
      assert.equal(again.stdout, "installed");
    }));

  it("that can't be installed are all stated, with their packages", () =>
    withDirectory(async (directory) => {
      const { stdout } = await install(directory, [], "user");
      assert.match(stdout, /^SetupError: The server's tests run programs that this machine lacks:\n/);
      assert.match(stdout, /- redis-server: tests of bulk jobs\n {2}- chromium or chromium-browser or google-chrome: /);
      assert.match(stdout, /apt-get install redis-server chromium( nginx-light)? \(Debian, as root\); brew install /);
      // No program was run.
      assert.ok(!existsSync(join(directory, "log")));
    }));

  it("that apt-get fails to install are an error with what it printed", () =>
    withDirectory(async (directory) => {
      const { stdout } = await install(directory, ['case "$*" in *install*) echo "E: no package"; exit 100;; esac']);
      assert.match(stdout, /^SetupError: Step "programs" failed \(exit 100\):(.|\n)*E: no package/);
      assert.equal(existsSync(policyOf(directory)), false);
    }));

  it("that a package lacks are stated", () =>
    withDirectory(async (directory) => {
      const { stdout } = await install(directory, []);
      assert.match(stdout, /^SetupError: The server's tests run programs that this machine lacks:\n {2}- redis-server/);
    }));
});
