#!/usr/bin/env node
// Makes prebuilds/<platform>-<arch>/ with prebuildify, which collects one addon. What else was built is copied next to it.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { arch, env, execPath, exit, platform, versions } from "node:process";
import { ADDONS, builtFiles } from "./setup/addon.mjs";
import { root } from "./setup/paths.mjs";

const [main] = ADDONS;
const prebuildify = join(root, "node_modules", "prebuildify", "bin.js");
const args = ["--napi", "--strip", "--name", main.replace(/\.node$/, ""), "--target", versions.node];
// node-gyp downloads Node's headers, although no source includes them. The headers of this Node, if any, avoid the download.
const prefix = dirname(dirname(execPath));
const nodedir = existsSync(join(prefix, "include", "node", "node.h")) ? { npm_config_nodedir: prefix } : {};
const { status } = spawnSync(execPath, [prebuildify, ...args], {
  cwd: root,
  env: { ...nodedir, ...env },
  stdio: "inherit",
});
if (status !== 0) exit(status ?? 1);
const destination = join(root, "prebuilds", `${platform}-${arch}`);
const release = join(root, "build", "Release");
for (const name of builtFiles(release).filter((name) => name !== main)) {
  copyFileSync(join(release, name), join(destination, name));
}
