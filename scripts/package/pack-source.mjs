#!/usr/bin/env node
// `npm run pack:source`: `npm pack` without prebuilt binaries, so `torch-t5 setup` compiles the addon. Takes the arguments of
// `npm pack`.
import { spawnSync } from "node:child_process";
import { argv, env, execPath, exit } from "node:process";
import { root } from "../setup/paths.mjs";

if (env.npm_execpath === undefined) throw new Error("Expected npm to run this program: `npm run pack:source`");
const environment = { ...env, TORCH_T5_PACK: "source" };
const args = [env.npm_execpath, "pack", ...argv.slice(2)];
exit(spawnSync(execPath, args, { cwd: root, env: environment, stdio: "inherit" }).status ?? 1);
