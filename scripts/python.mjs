#!/usr/bin/env node
// Runs the Python of the virtual environment with the given arguments, on every platform.
import { spawnSync } from "node:child_process";
import { argv, env, exit } from "node:process";
import { venvProgram } from "./setup/paths.mjs";

const result = spawnSync(env.TORCH_T5_PYTHON ?? venvProgram("python"), argv.slice(2), { stdio: "inherit" });
exit(result.status ?? 1);
