// Describes the machine for the report.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { versions } from "node:process";
import { root } from "../../scripts/setup/paths.mjs";

/** The instruction sets that matrix products use. */
const FLAGS = ["avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8"];
const ARM_FLAGS = ["asimd", "asimddp", "bf16", "i8mm", "sve"];

/** `{ processor, cores, flags, caches, memoryBytes, system, node, torchT5 }`. */
export function describeMachine() {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown processor",
    cores: availableParallelism(),
    flags: readFlags(),
    caches: readCaches(),
    memoryBytes: totalmem(),
    system: `${platform()} ${release()} ${arch()}`,
    node: versions.node,
    torchT5: [version, readCommit()].filter(Boolean).join(", commit "),
  };
}

function readFlags() {
  try {
    const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "";
    const has = new Set(line.trim().split(/\s+/));
    return [...FLAGS, ...ARM_FLAGS].filter((flag) => has.has(flag));
  } catch {
    return [];
  }
}

function readCaches() {
  try {
    const of = (name) => (index) =>
      readFileSync(`/sys/devices/system/cpu/cpu0/cache/index${index}/${name}`, "utf8").trim();
    return [1, 2, 3]
      .filter((index) => index === 1 || of("type")(index) !== "Instruction")
      .map((index) => `L${of("level")(index)} ${of("size")(index)}`);
  } catch {
    return [];
  }
}

function readCommit() {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root, encoding: "utf8", stdio: "pipe" }).trim();
  } catch {
    return undefined;
  }
}
