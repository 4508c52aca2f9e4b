import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withDirectory } from "../support/directory.js";
import { addToCache, makeProject, npm, packageFile, succeed, withLibtorch } from "../support/packed.js";
import { newerNode, toolPath } from "../support/tools.js";
import { cases } from "./extent.js";

const BUILD_TOOLS = ["cmake-js", "node-addon-api", "node-api-headers", "node-gyp", "prebuildify"];

/** Checks that the package is installed and that nothing was built for it. */
async function checkInstalled(project: string): Promise<void> {
  const folder = join(project, "node_modules", "torch-t5");
  // Whoever has a prebuilt addon gets no build tools.
  const installed = readdirSync(join(project, "node_modules"));
  assert.deepEqual(
    BUILD_TOOLS.filter((name) => installed.includes(name)),
    [],
  );
  assert.ok(installed.includes("torch-t5"));
  for (const name of ["build", "binding.gyp"]) assert.equal(existsSync(join(folder, name)), false, name);
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const { stdout } = await succeed(process.execPath, [join(folder, "dist", "cli", "main.js"), "--version"], project);
  assert.equal(stdout, `${version}\n`);
}

/** Yarn 4 with scripts, and with nothing of the user's. */
const yarnEnvironment = (project: string) => ({
  YARN_ENABLE_SCRIPTS: "true",
  YARN_ENABLE_IMMUTABLE_INSTALLS: "false",
  YARN_ENABLE_TELEMETRY: "false",
  YARN_GLOBAL_FOLDER: join(project, "yarn"),
});

describe("the packed package", () => {
  // npm 12 does not run on every Node.js that torch-t5 runs on.
  const versions = [
    ["npm-10", process.execPath],
    ["npm-12", newerNode],
    ["npm-11", process.execPath],
  ] as const;
  for (const [version, node] of cases(versions, 2)) {
    it(`is installed, installed again from the lockfile, and rebuilt by ${version} without a compiler`, () =>
      withDirectory(async (project) => {
        makeProject(project);
        await npm(version, ["install", await packageFile()], project, node);
        await checkInstalled(project);
        await npm(version, ["ci"], project, node);
        await npm(version, ["rebuild"], project, node);
        await checkInstalled(project);
      }));
  }

  const yarns = [
    {
      what: "Yarn 4 with scripts, into node_modules",
      async install(project: string) {
        writeFileSync(join(project, "yarn.lock"), "");
        const env = { ...yarnEnvironment(project), YARN_NODE_LINKER: "node-modules" };
        await succeed(process.execPath, [toolPath("@yarnpkg", "cli-dist", "bin", "yarn.js"), "install"], project, env);
      },
    },
    {
      what: "Yarn 1, which runs the scripts of packages",
      async install(project: string) {
        const yarn = toolPath("yarn", "bin", "yarn.js");
        const options = ["--cache-folder", join(project, "cache"), "--non-interactive"];
        await succeed(process.execPath, [yarn, "install", ...options], project);
        await succeed(process.execPath, [yarn, "install", "--frozen-lockfile", "--force", ...options], project);
      },
    },
  ];
  for (const { what, install } of cases(yarns, 0)) {
    it(`is installed by ${what}`, () =>
      withDirectory(async (project) => {
        makeProject(project, { dependencies: { "torch-t5": `file:${await packageFile()}` } });
        await install(project);
        await checkInstalled(project);
      }));
  }

  it("is installed by Yarn 4 with Plug'n'Play, and runs with an addon in the user's cache", () =>
    withDirectory(async (project) => {
      makeProject(project, { dependencies: { "torch-t5": `file:${await packageFile()}` } });
      writeFileSync(join(project, "yarn.lock"), "");
      const yarn = toolPath("@yarnpkg", "cli-dist", "bin", "yarn.js");
      const env = { ...yarnEnvironment(project), YARN_NODE_LINKER: "pnp", XDG_CACHE_HOME: join(project, "cache") };
      await succeed(process.execPath, [yarn, "install"], project, env);
      assert.equal(existsSync(join(project, "node_modules")), false);
      addToCache(join(project, "cache"));
      const args = [yarn, "run", "torch-t5", "generate", "spell number: 7"];
      const { stdout } = await succeed(process.execPath, args, project, { ...env, ...withLibtorch() });
      assert.equal(stdout, "seven\n");
    }));
});
