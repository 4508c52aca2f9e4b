import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { torchT5 } from "../../../test/support/cli.js";
import { withDirectory } from "../../../test/support/directory.js";
import { type Ended, runToEnd } from "../../../test/support/program.js";
import { startServer } from "../../src/app/server.js";
import { readCommand } from "../../src/command/arguments.js";
import { program } from "../support/server.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, "server", "package.json"), "utf8"));

const run = (...args: readonly string[]) => runToEnd(process.execPath, [program, ...args]);

/** Calls `use` with a configuration file. */
function withConfig<Result>(config: string, use: (file: string) => Promise<Result>): Promise<Result> {
  return withDirectory((directory) => {
    const file = join(directory, "config.json");
    writeFileSync(file, config);
    return use(file);
  });
}

/** Runs the server with a configuration file. */
const runWith = (config: string): Promise<Ended> => withConfig(config, (file) => run("--config", file));

/** Does in this process what the program does with its arguments. */
async function start(args: readonly string[]): Promise<void> {
  const command = await readCommand(args);
  if ("config" in command) await startServer({ logLevel: "silent", port: 0, ...command.config });
}

describe("torch-t5-server", () => {
  it("prints its help and version", async () => {
    assert.deepEqual(await run("--version"), { code: 0, signal: null, stdout: `${version}\n`, stderr: "" });
    const { code, stdout } = await run("--help");
    assert.equal(code, 0);
    assert.match(stdout, /^torch-t5-server \[options\]\n/);
  });

  it("ends with 2 and one line for a wrong command line or configuration", async () => {
    const ends = await Promise.all([run("--prot", "1"), run("--port", "http"), runWith('{"limits":{"rows":0}}')]);
    for (const { code, stdout, stderr } of ends) {
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, /^torch-t5-server: .* \(ERR_INVALID_ARGUMENT\)\n$/);
    }
  });

  for (const [args, message] of [
    [["--prot", "1"], /Unknown option '--prot'/],
    [["serve"], /Unexpected argument 'serve'/],
    [["--port", "http"], /Expected a port for --port but received "http"/],
    [["--port", "70000"], /Expected a value <= 65535 for config\.port but received 70000/],
    [["--model", "path"], /Expected name=path for --model but received "path"/],
    [["--config", "/nonexistent.json"], /Expected a readable file for --config/],
    [["--log-level", "loud"], /Expected one of .* for config\.logLevel but received "loud"/],
  ] as const) {
    it(`refuses ${args.join(" ")}`, () => assert.rejects(start(args), { code: "ERR_INVALID_ARGUMENT", message }));
  }

  for (const [config, message] of [
    ["{", /Expected JSON in .*config\.json/],
    ["[]", /Expected an object for .*config\.json/],
    ['{"prot":1}', /Expected a known name for a property of config but received "prot"/],
    ['{"models":[]}', /Expected no fewer than 1 items for config\.models/],
    ['{"models":[{"name":"a"}]}', /Expected either path or hub for config\.models\[0\]/],
    ['{"models":[{"name":"a","path":"demo","revision":"v1"}]}', /Expected hub with revision for config\.models\[0\]/],
    ['{"models":[{"name":"a","path":"demo","maxInputTokens":0}]}', /Expected a value >= 1 for .*maxInputTokens/],
    ['{"models":[{"name":"a b","path":"demo"}]}', /Expected a match of pattern .* for config\.models\.0\.name/],
    [
      '{"models":[{"name":"a","path":"demo"},{"name":"a","path":"demo"}]}',
      /Expected different names for config\.models/,
    ],
    [
      '{"models":[{"name":"a","path":"demo","precision":"fp16"}]}',
      /Expected one of .* for config\.models\.0\.precision/,
    ],
    ['{"limits":{"rows":0}}', /Expected a value >= 1 for config\.limits\.rows but received 0/],
    ['{"apiKeysFile":"none.txt"}', /Expected a readable file for apiKeysFile/],
    ['{"tls":{"cert":"a.pem"}}', /Expected a value for config\.tls\.key/],
    ['{"tls":{"cert":"a.pem","key":"b.pem"}}', /Expected a readable file for config\.tls\.cert/],
  ] as const) {
    it(`refuses the configuration ${config}`, () =>
      withConfig(config, (file) =>
        assert.rejects(start(["--config", file]), { code: "ERR_INVALID_ARGUMENT", message }),
      ));
  }

  it("ends with 1 if a model cannot be loaded", async () => {
    const { code, stderr } = await runWith('{"port":0,"logLevel":"silent","models":[{"name":"a","path":"nowhere"}]}');
    assert.equal(code, 1);
    assert.match(stderr, /nowhere" does not exist \(ERR_MODEL_NOT_FOUND\)\n$/);
  });
});

describe("torch-t5 serve", () => {
  it("runs torch-t5-server with its arguments, and ends with its exit code", async () => {
    const { code, stdout } = await torchT5(["serve", "--version"]);
    assert.deepEqual([code, stdout], [0, `${version}\n`]);
    assert.equal((await torchT5(["serve", "--port", "http"])).code, 2);
  });

  it("states how to install the server where it is missing", async () => {
    await withDirectory(async (directory) => {
      const installed = join(directory, "node_modules", "torch-t5");
      mkdirSync(installed, { recursive: true });
      for (const name of ["dist", "package.json"]) cpSync(join(root, name), join(installed, name), { recursive: true });
      const cli = join(installed, "dist", "cli", "main.js");
      const missing = await runToEnd(process.execPath, [cli, "serve"], { cwd: directory });
      assert.equal(missing.code, 1);
      assert.match(
        missing.stderr,
        /^torch-t5: Expected the package torch-t5-server .* run `npm install torch-t5-server`\n$/,
      );
      // Once it is installed in the project, it is found.
      symlinkSync(join(root, "server"), join(directory, "node_modules", "torch-t5-server"));
      const { code, stdout } = await runToEnd(process.execPath, [cli, "serve", "--version"], { cwd: directory });
      assert.deepEqual([code, stdout], [0, `${version}\n`]);
    });
  });
});
