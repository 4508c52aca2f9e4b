#!/usr/bin/env node
// Runs Python with the given arguments, on every platform: the one that TORCH_T5_PYTHON names, else that of the virtual environment,
// else the machine's.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { argv, env, exit } from "node:process";
import { venvProgram } from "./setup/paths.mjs";
import { findPython } from "./setup/python.mjs";

const inVenv = venvProgram("python");
const python = env.TORCH_T5_PYTHON ?? (existsSync(inVenv) ? inVenv : findPython()?.program) ?? inVenv;
const result = spawnSync(python, argv.slice(2), { stdio: "inherit" });
exit(result.status ?? 1);
