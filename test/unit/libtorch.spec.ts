import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { runtimeInfo } from "torch-t5";
import { withDirectory } from "../support/directory.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const report = `
import { runtimeInfo } from "torch-t5";
try { console.log(JSON.stringify({ found: runtimeInfo().libtorch })); }
catch (error) { console.log(JSON.stringify({ name: error.name, code: error.code, message: error.message })); }
`;
const LIBRARIES: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  win32: ["c10.dll", "torch_cpu.dll"],
  darwin: ["libc10.dylib", "libtorch_cpu.dylib"],
};

interface Report {
  readonly found?: { readonly directory: string; readonly version: string; readonly source: string };
  readonly code?: string;
  readonly message?: string;
}

/** The libtorch that a copy of the package in `directory` finds, without the checkout's `.venv`. */
function find(directory: string, environment: Readonly<Record<string, string>>): Report {
  for (const part of ["dist", "package.json", join("build", "Release")]) {
    const isAddon = part.startsWith("build");
    const filter = (path: string) => !isAddon || !/\.[^.]*$/.test(path) || path.endsWith(".node");
    cpSync(join(root, part), join(directory, part), { recursive: true, filter });
  }
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"), "junction");
  const { PATH = "", SystemRoot = "" } = process.env;
  const env = { PATH, SystemRoot, HOME: directory, TORCH_T5_PYTHON: "no-such-python", ...environment };
  const { stdout, stderr } = spawnSync(execPath, ["--input-type=module", "--eval", report], {
    cwd: directory,
    encoding: "utf8",
    env,
  });
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout) as Report;
}

/** A folder with the file names of libtorch, but without real libraries. `files` are added to it. */
function fakeLibtorch(directory: string, files: Readonly<Record<string, string>>): string {
  const libtorch = join(directory, "libtorch");
  mkdirSync(join(libtorch, "lib"), { recursive: true });
  for (const name of LIBRARIES[process.platform] ?? ["libc10.so", "libtorch_cpu.so"]) {
    writeFileSync(join(libtorch, "lib", name), "not a library");
  }
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(libtorch, path, ".."), { recursive: true });
    writeFileSync(join(libtorch, path), text);
  }
  return libtorch;
}

describe("libtorch", () => {
  const { directory: real, version } = runtimeInfo().libtorch;

  it("is the one that LIBTORCH names, by its root or its lib folder", async () => {
    for (const path of [real, join(real, "..")]) {
      const { found } = await withDirectory((directory) => find(directory, { LIBTORCH: path }));
      assert.deepEqual(found, { directory: real, version, source: "LIBTORCH" });
    }
  });

  it("is found in torch-t5's cache", async () => {
    await withDirectory((directory) => {
      const packages =
        process.platform === "win32"
          ? join(directory, "torch-t5", "venv", "Lib", "site-packages")
          : join(directory, "torch-t5", "venv", "lib", "python3.11", "site-packages");
      mkdirSync(packages, { recursive: true });
      symlinkSync(join(real, ".."), join(packages, "torch"), "junction");
      const { found } = find(directory, { XDG_CACHE_HOME: directory, LOCALAPPDATA: directory });
      assert.equal(found?.source, "the torch-t5 cache");
    });
  });

  it("is found through the active Python", async () => {
    const python = process.env.TORCH_T5_PYTHON ?? join(root, ".venv", "bin", "python");
    const { found } = await withDirectory((directory) => find(directory, { TORCH_T5_PYTHON: python }));
    assert.equal(found?.source, `the torch of ${python}`);
  });

  it("that isn't found is reported with the places that were searched and the command that downloads it", async () => {
    const { code, message } = await withDirectory((directory) => find(directory, {}));
    assert.equal(code, "ERR_LIBTORCH_NOT_FOUND");
    assert.match(message ?? "", /run `npx torch-t5 setup`, or set LIBTORCH .* the torch-t5 cache .*\.venv/);
  });

  it("that isn't where LIBTORCH points is reported with that place, and no other place is searched", async () => {
    const { code, message } = await withDirectory((directory) => find(directory, { LIBTORCH: "/nonexistent" }));
    assert.equal(code, "ERR_LIBTORCH_NOT_FOUND");
    assert.match(message ?? "", /Looked at: LIBTORCH \(\/nonexistent\)$/);
  });

  const versions: readonly (readonly [where: string, files: Readonly<Record<string, string>>])[] = [
    ["version.py", { "version.py": "__version__ = '1.9.1+cu111'\n" }],
    ["build-version", { "build-version": "1.9.1+cpu\n" }],
    [
      "a header",
      {
        "include/torch/headeronly/version.h":
          "#define TORCH_VERSION_MAJOR 1\n#define TORCH_VERSION_MINOR 9\n#define TORCH_VERSION_PATCH 1\n",
      },
    ],
  ];
  for (const [where, files] of versions) {
    it(`of another version, as ${where} states it, is rejected with both versions and a command`, async () => {
      await withDirectory((directory) => {
        const libtorch = fakeLibtorch(directory, files);
        const { code, message } = find(directory, { LIBTORCH: libtorch });
        assert.equal(code, "ERR_LIBTORCH_VERSION");
        const expected = version.split(".").slice(0, 2).join("\\.");
        assert.match(
          message ?? "",
          new RegExp(`Expected version ${expected} .* found 1\\.9\\.1 from LIBTORCH .*setup`),
        );
      });
    });
  }

  it("without a version in its files is rejected", async () => {
    const { code, message } = await withDirectory((directory) =>
      find(directory, { LIBTORCH: fakeLibtorch(directory, {}) }),
    );
    assert.equal(code, "ERR_LIBTORCH_VERSION");
    assert.match(message ?? "", /found unknown from LIBTORCH/);
  });

  it("that can't be loaded is reported with the loader's message", async () => {
    await withDirectory((directory) => {
      const libtorch = fakeLibtorch(directory, { "version.py": `__version__ = '${version}'\n` });
      const { code, message } = find(directory, { LIBTORCH: libtorch });
      assert.equal(code, "ERR_LIBTORCH_NOT_FOUND");
      assert.match(message ?? "", /Expected libtorch at .* to load but received: .*; run `/);
    });
  });

  it("isn't searched for where the addon is missing, and the error names the addon", async () => {
    await withDirectory((directory) => {
      const { code, message } = findWithoutAddon(directory);
      assert.equal(code, "ERR_INTERNAL");
      assert.match(message ?? "", /Expected the native addon torch_t5_preload\.node in .* run `npx torch-t5 setup`/);
    });
  });
});

function findWithoutAddon(directory: string): Report {
  for (const part of ["dist", "package.json"]) cpSync(join(root, part), join(directory, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"), "junction");
  const { stdout } = spawnSync(execPath, ["--input-type=module", "--eval", report], {
    cwd: directory,
    encoding: "utf8",
    // Not the addon that set-up has built for an installed package.
    env: { ...process.env, XDG_CACHE_HOME: directory },
  });
  return JSON.parse(stdout) as Report;
}
