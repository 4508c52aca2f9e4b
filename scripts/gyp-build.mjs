#!/usr/bin/env node
// What binding.gyp delegates to: the CMake build in a folder of its own, its addons copied where node-gyp's users look.
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { exit, stderr } from "node:process";
import { ADDONS, buildAddon, findBuildTools } from "./setup/addon.mjs";
import { libtorchDirectory, root } from "./setup/paths.mjs";

if (!findBuildTools() || !libtorchDirectory()) {
  stderr.write(
    "torch-t5: cmake, ninja and libtorch come first: `npx torch-t5 setup` (in a checkout, `npm run setup`).\n",
  );
  exit(1);
}
const out = join("build", "cmake");
const release = join(root, "build", "Release");
await buildAddon({ out });
mkdirSync(release, { recursive: true });
for (const name of ADDONS) copyFileSync(join(root, out, "Release", name), join(release, name));
