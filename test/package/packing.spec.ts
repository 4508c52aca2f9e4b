import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withDirectory } from "../support/directory.js";
import { runToEnd } from "../support/program.js";
import { toolPath } from "../support/tools.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { scripts, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Runs `prepack` of a copy of the scripts, as npm does for `command`. */
function prepack(directory: string, command: string) {
  cpSync(join(root, "scripts"), join(directory, "scripts"), { recursive: true });
  for (const name of ["package.json", "package-lock.json"]) cpSync(join(root, name), join(directory, name));
  return runToEnd(process.execPath, [join(directory, "scripts", "package", "prepack.mjs")], {
    cwd: directory,
    env: { npm_command: command, TORCH_T5_PACK: undefined },
  });
}

describe("prepack", () => {
  for (const command of ["pack", "publish"]) {
    it(`refuses npm ${command} without prebuilt binaries, and says what to run`, () =>
      withDirectory(async (directory) => {
        const { code, stderr } = await prepack(directory, command);
        assert.equal(code, 1);
        assert.match(
          stderr,
          /^torch-t5: Expected prebuilt binaries for linux-x64, linux-arm64 in prebuilds\/ but found none; `npm run prebuild` .* `npm run build:arm64` .* `npm run pack:source` .*\n$/,
        );
      }));
  }

  it("accepts a package with prebuilt binaries", () =>
    withDirectory(async (directory) => {
      for (const platform of ["linux-x64", "linux-arm64"]) {
        mkdirSync(join(directory, "prebuilds", platform), { recursive: true });
        writeFileSync(join(directory, "prebuilds", platform, "torch_t5.node"), "");
      }
      // As in an installed package, set-up has nothing to compile.
      cpSync(join(root, "dist"), join(directory, "dist"), { recursive: true });
      const { code, stderr } = await prepack(directory, "pack");
      assert.deepEqual([code, stderr], [0, ""]);
    }));

  it("does nothing within an installation", () =>
    withDirectory(async (directory) => {
      for (const command of ["install", "ci", "rebuild"]) {
        const { code, stdout, stderr } = await prepack(directory, command);
        assert.deepEqual([code, stdout, stderr], [0, "", ""]);
      }
    }));
});

describe("npm run pack:source", () => {
  it("writes the package without prebuilt binaries", () =>
    withDirectory(async (directory) => {
      const npm = toolPath("npm-11", "bin", "npm-cli.js");
      const args = [npm, "run", "pack:source", "--", "--pack-destination", directory];
      const { code, stderr } = await runToEnd(process.execPath, args, { cwd: root, env: { npm_execpath: npm } });
      assert.equal(code, 0, stderr);
      assert.deepEqual(readdirSync(directory), [`torch-t5-${version}.tgz`]);
    }));
});

describe("the check of a release", () => {
  const complete = { version: "1.2.3", repository: "r", homepage: "h", bugs: "b" };
  const changelog = "# Changelog\n\n## [1.2.3] - 2027-01-02\n";

  /** Checks a release of a checkout with these files. Resolves to what is wrong with it. */
  const check = (tag: string, settings: object, serverVersion = "1.2.3", changes = changelog) =>
    withDirectory(async (directory) => {
      cpSync(join(root, "scripts"), join(directory, "scripts"), { recursive: true });
      mkdirSync(join(directory, "server"));
      writeFileSync(join(directory, "package.json"), JSON.stringify(settings));
      writeFileSync(join(directory, "server", "package.json"), JSON.stringify({ version: serverVersion }));
      writeFileSync(join(directory, "CHANGELOG.md"), changes);
      const program = join(directory, "scripts", "package", "release-check.mjs");
      const { code, stderr } = await runToEnd(process.execPath, [program, tag]);
      assert.equal(code, stderr === "" ? 0 : 1);
      return stderr;
    });

  it("accepts a tag, versions and a changelog that agree", async () => {
    assert.equal(await check("v1.2.3", complete), "");
  });

  it("names everything that is wrong", async () => {
    const stderr = await check("v1.2.4", { version: "1.2.3" }, "1.2.2", "# Changelog\n\n## [Unreleased]\n");
    assert.deepEqual(stderr.trimEnd().split("\n"), [
      "Expected the tag v1.2.3 but received v1.2.4",
      "Expected the server's version 1.2.3 but received 1.2.2",
      "Expected repository, homepage, bugs in package.json but found none",
      "Expected a section of CHANGELOG.md for 1.2.3, with its date, but found none",
    ]);
  });
});

describe("the workflows", () => {
  const folder = join(root, ".github", "workflows");
  for (const name of readdirSync(folder)) {
    it(`${name} runs only what exists, and says what has run`, () => {
      const text = readFileSync(join(folder, name), "utf8");
      const commands = [...text.matchAll(/- run: (.*)$/gm)].map(([, command = ""]) => command);
      assert.ok(name !== "prebuild.yml" || commands.includes("npm run prebuild"));
      for (const command of commands) {
        const script = /^npm (?:run )?(\w+)/.exec(command)?.[1];
        if (script !== undefined && script !== "publish") assert.ok(scripts[script] !== undefined, command);
      }
      assert.match(text, /^# What has run: /m);
    });
  }
});
