#!/usr/bin/env node
// The build that binding.gyp runs: builds with CMake in build/cmake, then copies the addons to build/Release, where prebuildify
// and other users of node-gyp look for them.
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { exit, stderr } from "node:process";
import { ADDONS, buildAddon, findBuildTools } from "./setup/addon.mjs";
import { libtorchDirectory, root } from "./setup/paths.mjs";

if (!findBuildTools() || !libtorchDirectory()) {
  stderr.write(
    "torch-t5: Expected cmake, ninja and libtorch; run `npx torch-t5 setup` (in a checkout `npm run setup`) first.\n",
  );
  exit(1);
}
const out = join("build", "cmake");
const release = join(root, "build", "Release");
await buildAddon({ out });
mkdirSync(release, { recursive: true });
for (const name of ADDONS) copyFileSync(join(root, out, "Release", name), join(release, name));
