// Set-up of an installed package, with a Python that downloads nothing. Linux only: elsewhere a script is no program.
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeInstalledProject, withLibtorch } from "../support/packed.js";
import { type Ended, runToEnd } from "../support/program.js";

const python = fileURLToPath(new URL("programs/fake-python.mjs", import.meta.url));

/** Every file below a folder, with its time of change. */
function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .sort()
    .map((name) => `${name} ${statSync(join(folder, name)).mtimeMs}`);
}

describe("set-up of an installed package", () => {
  let project: string;
  let folder: string;
  let unchanged: readonly string[];
  before(async () => {
    project = mkdtempSync(join(tmpdir(), "torch-t5-test-"));
    await makeInstalledProject(project);
    folder = join(project, "node_modules", "torch-t5");
    unchanged = filesBelow(folder);
  });
  after(() => rmSync(project, { recursive: true, force: true }));
  afterEach(() => {
    assert.deepEqual(filesBelow(folder), unchanged, "the package itself is never written to");
  });

  /** Runs a command of the installed package with an empty cache, or the given one, and without this machine's libtorch. */
  function torchT5(args: readonly string[], cache: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    // Only Node is on the PATH: no python3, no cmake, no compiler.
    const bin = join(project, "bin");
    mkdirSync(bin, { recursive: true });
    if (!existsSync(join(bin, "node"))) symlinkSync(process.execPath, join(bin, "node"));
    return runToEnd(process.execPath, [join(folder, "dist", "cli", "main.js"), ...args], {
      cwd: project,
      env: {
        HOME: project,
        PATH: bin,
        XDG_CACHE_HOME: cache,
        LIBTORCH: undefined,
        CXX: undefined,
        PYTHON: python,
        TORCH_T5_PYTHON: "no-such-python",
        FAKE_PIP_LOG: join(project, "pip.jsonl"),
        ...env,
      },
    });
  }

  it("does nothing, and needs no Python, where there is a libtorch and a prebuilt addon, and doctor agrees", async () => {
    const cache = join(project, "unused-cache");
    const env = { ...withLibtorch(), PYTHON: "no-such-python" };
    const setup = await torchT5(["setup"], cache, env);
    assert.deepEqual([setup.code, setup.stderr, setup.stdout], [0, "", ""]);
    assert.equal(readdirSync(project).includes("unused-cache"), false);
    const doctor = await torchT5(["doctor"], cache, env);
    assert.equal(doctor.code, 0, doctor.stdout);
    assert.match(doctor.stdout, /Everything needed is here/);
  });

  it("need not have run for doctor to find the machine's own Python", async () => {
    const env = { ...withLibtorch(), TORCH_T5_PYTHON: undefined };
    const { stdout } = await torchT5(["doctor"], join(project, "unused-cache"), env);
    assert.match(
      stdout,
      /^note +Python +3\.12\.0: .*fake-python\.mjs lacks torch, transformers; only `torch-t5 export`/m,
    );
  });

  it("installs libtorch into the cache, keeps what is opened, and does so once", async () => {
    const cache = join(project, "cache");
    const index = "https://mirror.example.org/simple";
    const { code, stderr } = await torchT5(["setup", "--index", index], cache);
    assert.equal(code, 0, stderr);
    const [{ args, index: used }, ...others] = readFileSync(join(project, "pip.jsonl"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(used, index);
    assert.ok(args.includes("--no-deps") && args.some((arg: string) => arg.startsWith("torch==")), args.join(" "));
    assert.deepEqual(others, []);
    const kept = readdirSync(join(cache, "torch-t5", "libtorch"), { recursive: true, withFileTypes: true });
    assert.deepEqual(
      kept
        .filter((entry) => entry.isFile())
        .map(({ name }) => name)
        .sort(),
      ["libc10.so", "libcudart.so.13", "libcupti.so.13", "libgomp.so.1", "libtorch_cpu.so", "version.py"],
    );
    const again = await torchT5(["setup"], cache);
    assert.deepEqual([again.code, again.stderr], [0, ""]);
    assert.match((await torchT5(["doctor"], cache)).stdout, /the torch-t5 cache|libtorch at .*torch-t5\/libtorch/);
  });

  it("installs the wheel that was downloaded, and then deletes it", async () => {
    const cache = join(project, "wheel-cache");
    const log = join(project, "wheel.jsonl");
    const wheel = "torch-2.15.0-cp312-none-any.whl";
    const { code, stderr } = await torchT5(["setup"], cache, { FAKE_WHEEL: wheel, FAKE_PIP_LOG: log });
    assert.equal(code, 0, stderr);
    const { args } = JSON.parse(readFileSync(log, "utf8"));
    assert.ok(args.includes(join(cache, "torch-t5", "setup", "downloads", wheel)), args.join(" "));
    assert.ok(!args.some((arg: string) => arg.startsWith("torch==")), args.join(" "));
    assert.equal(existsSync(join(cache, "torch-t5", "setup", "downloads")), false);
  });

  for (const [what, output, message] of [
    [
      "no connection",
      "NewConnectionError: Failed to establish a new connection: [Errno -3]",
      /No connection\. .*--index/,
    ],
    ["a full disk", "ERROR: Could not install packages: [Errno 28] No space left on device", /The disk is full\./],
    ["a refused proxy", "ProxyError('Cannot connect to proxy.')", /The proxy refused the connection\./],
    ["a wrong digest", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", /SHA-256/],
    ["an unknown certificate", "SSLError: CERTIFICATE_VERIFY_FAILED", /PIP_CERT/],
  ] as const) {
    it(`names the cause, and where the log is, for ${what}`, async () => {
      const { code, stderr } = await torchT5(["setup"], join(project, what), { FAKE_PIP_OUTPUT: `${output}\n` });
      assert.equal(code, 1);
      const last = stderr.trimEnd().split("\n").at(-1) ?? "";
      assert.match(last, message);
      assert.match(last, /^torch-t5 set-up: Step "libtorch" failed\. .* The log is .*libtorch\.log$/);
    });
  }

  it("says which folder to choose where the cache can't be written, in one line", async () => {
    const { code, stderr } = await torchT5(["setup"], "/dev/null");
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^torch-t5 set-up: Expected to write to \/dev\/null\/torch-t5\/setup but received ENOTDIR; set XDG_CACHE_HOME to a folder that can be written\n$/,
    );
  });

  it("says what is missing where there is no Python, in one message", async () => {
    const { code, stderr } = await torchT5(["setup"], join(project, "no-python"), { PYTHON: "no-such-python" });
    assert.equal(code, 1);
    assert.match(stderr, /\n {2}- Python 3\.10 or newer: /);
  });

  it("builds an addon where LIBTORCH has another version than the prebuilt one, and lists what that needs", async () => {
    const libtorch = join(project, "old-libtorch");
    mkdirSync(join(libtorch, "lib"), { recursive: true });
    for (const name of ["libc10.so", "libtorch_cpu.so"]) writeFileSync(join(libtorch, "lib", name), "");
    writeFileSync(join(libtorch, "version.py"), "__version__ = '2.11.0'\n");
    const { code, stderr } = await torchT5(["setup"], join(project, "old-cache"), { LIBTORCH: libtorch });
    assert.equal(code, 1);
    assert.match(stderr, /\n {2}- a C\+\+20 compiler: /);
  });

  it("refuses --export with --cuda, and an unknown flag", async () => {
    for (const args of [
      ["setup", "--export", "--cuda"],
      ["setup", "--gpu"],
    ]) {
      assert.equal((await torchT5(args, join(project, "cache"))).code, 2);
    }
  });
});

describe("the preflight of set-up", () => {
  it("names glibc on a system with musl, before any download", async () => {
    const { systemProblem } = await import(new URL("../../scripts/setup/preflight.mjs", import.meta.url).href);
    assert.match(systemProblem({ header: {} }) ?? "", /glibc.*Alpine/);
    assert.equal(systemProblem({ header: { glibcVersionRuntime: "2.36" } }), undefined);
    assert.equal(systemProblem(), undefined);
  });
});
