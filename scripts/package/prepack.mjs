#!/usr/bin/env node
// `npm pack` and `npm publish` run this first: it builds dist/, and refuses a package without prebuilt binaries, unless
// `npm run pack:source` asks for one. Within an `npm install` it does nothing.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { env, execPath, exit, stderr } from "node:process";
import { root } from "../setup/paths.mjs";

/** The platforms for which a published package has binaries. */
const PREBUILT = ["linux-x64", "linux-arm64"];

if (!["pack", "publish"].includes(env.npm_command)) exit(0);

const missing = PREBUILT.filter((name) => !existsSync(join(root, "prebuilds", name, "torch_t5.node")));
if (missing.length > 0 && env.TORCH_T5_PACK !== "source") {
  const builders = "`npm run prebuild` builds those of this machine, `npm run build:arm64` those of linux-arm64";
  const advice = `${builders}; \`npm run pack:source\` packs without them`;
  stderr.write(
    `torch-t5: Expected prebuilt binaries for ${missing.join(", ")} in prebuilds/ but found none; ${advice}\n`,
  );
  exit(1);
}
const { status } = spawnSync(execPath, [join(root, "scripts", "setup.mjs"), "dist"], { stdio: ["ignore", 2, 2] });
exit(status ?? 1);
