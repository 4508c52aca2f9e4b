#!/usr/bin/env node
// Runs the main commands on the embedded model, and prints each command line before its output.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { execPath, exit, stdout } from "node:process";
import { root } from "./setup/paths.mjs";

const commands = [
  ["logits", "spell number: 48213", "--target", "forty-eight thousand two hundred thirteen", "--top-k", "2"],
  ["logits", "date to iso: March 5, 2021", "--target", "2021-03-05", "--top-k", "2"],
  ["generate", "spell number: 48213", "date to iso: March 5, 2021"],
  ["verify", join(root, "models", "demo")],
];

for (const args of commands) {
  stdout.write(
    `\n$ npx torch-t5 ${args.map((arg) => (/^[\w./-]+$/.test(arg) ? arg : JSON.stringify(arg))).join(" ")}\n`,
  );
  const { status } = spawnSync(execPath, [join(root, "dist", "cli", "main.js"), ...args], { stdio: "inherit" });
  if (status !== 0) exit(status ?? 1);
}
