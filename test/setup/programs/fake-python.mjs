#!/usr/bin/env node
// Stands for Python in tests of set-up, which must not download: it makes virtual environments of itself, and "installs" packages as
// files with the names that the wheels have. FAKE_PIP_OUTPUT makes pip fail with that output.
import { appendFileSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { argv, env, exit, stdout } from "node:process";
import { fileURLToPath } from "node:url";

const WHEELS = {
  torch: ["torch/lib/libtorch_cpu.so", "torch/lib/libc10.so", "torch/lib/libgomp.so.1", "torch/version.py"],
  // What the addon doesn't open.
  more: [
    "torch/lib/libtorch_cuda.so",
    "torch/lib/libtorch_python.so",
    "torch/nn/functional.py",
    "torch-2.dist-info/RECORD",
  ],
  headers: ["torch/include/torch/all.h"],
  nvidia: ["nvidia/cu13/lib/libcudart.so.13", "nvidia/cu13/lib/libcupti.so.13"],
  moreNvidia: ["nvidia/cu13/lib/libnvperf_host.so", "nvidia/cu13/include/cuda.h"],
};

const args = argv.slice(2);
if (args[0] === "-c" && args[1]?.includes("json.dumps")) {
  stdout.write(JSON.stringify({ executable: argv[1], version: "3.12.0", missing: ["torch", "transformers"] }));
} else if (args[0] === "-c") {
  stdout.write(args[1]?.includes("print(*sys.version_info") ? "3 12 1\n" : "");
} else if (args[1] === "venv") {
  const program = join(args[2] ?? "", "bin", "python");
  mkdirSync(dirname(program), { recursive: true });
  mkdirSync(join(args[2] ?? "", "lib", "python3.12", "site-packages"), { recursive: true });
  copyFileSync(fileURLToPath(import.meta.url), program);
} else if (args[1] === "pip" && args[2] === "config") {
  // No settings.
} else if (args[0]?.endsWith("fetch_wheel.py")) {
  // The index has no wheel that the program can choose, or it has one, which it downloads.
  if (env.FAKE_WHEEL) {
    mkdirSync(args[3] ?? "", { recursive: true });
    writeFileSync(join(args[3] ?? "", env.FAKE_WHEEL), "");
  }
} else if (args[1] === "pip") {
  if (env.FAKE_PIP_OUTPUT) {
    stdout.write(env.FAKE_PIP_OUTPUT);
    exit(1);
  }
  appendFileSync(env.FAKE_PIP_LOG ?? "", `${JSON.stringify({ index: env.PIP_INDEX_URL, args: args.slice(3) })}\n`);
  const target = args[args.indexOf("--target") + 1] ?? "";
  for (const file of Object.values(WHEELS).flat()) {
    mkdirSync(dirname(join(target, file)), { recursive: true });
    writeFileSync(join(target, file), file === "torch/version.py" ? "__version__ = '2.15.0'\n" : "");
  }
} else {
  exit(2);
}
