#!/usr/bin/env node
// Makes prebuilds/<platform>-<arch>/ with prebuildify. It collects one addon; the one that opens libtorch goes beside it.
import { spawnSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { arch, execPath, exit, platform, versions } from "node:process";
import { ADDONS } from "./setup/addon.mjs";
import { root } from "./setup/paths.mjs";

const [main, ...others] = ADDONS;
const prebuildify = join(root, "node_modules", "prebuildify", "bin.js");
const args = ["--napi", "--strip", "--name", main.replace(/\.node$/, ""), "--target", versions.node];
const { status } = spawnSync(execPath, [prebuildify, ...args], { cwd: root, stdio: "inherit" });
if (status !== 0) exit(status ?? 1);
const destination = join(root, "prebuilds", `${platform}-${arch}`);
for (const name of others) copyFileSync(join(root, "build", "Release", name), join(destination, name));
