#!/usr/bin/env node
// The build that binding.gyp runs: builds with CMake in build/cmake, then copies what it built to build/Release, where prebuildify
// and other users of node-gyp look for them.
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { exit, stderr } from "node:process";
import { buildAddon, builtFiles, CUDA_LIBRARY, findBuildTools } from "./setup/addon.mjs";
import { libtorchDirectory } from "./setup/libtorch.mjs";
import { root } from "./setup/paths.mjs";

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
const built = join(root, out, "Release");
// One of an earlier build does not fit the addon.
rmSync(join(release, CUDA_LIBRARY), { force: true });
for (const name of builtFiles(built)) copyFileSync(join(built, name), join(release, name));
