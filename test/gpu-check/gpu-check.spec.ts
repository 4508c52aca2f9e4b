// Runs scripts/gpu-check as a shell does, on the CPU: what it measures, and how it reports failures.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { demoModel } from "torch-t5";
import { openExported } from "../parity/models.js";
import { withDirectory } from "../support/directory.js";
import { type Ended, runToEnd } from "../support/program.js";
import { pythonPath } from "../support/python.js";
import { Reference } from "../support/reference.js";
import { gapOf, isNearTie, rescore } from "./checks/ties.js";

const command = fileURLToPath(new URL("../../scripts/gpu-check", import.meta.url));

interface Outcome extends Ended {
  /** Undefined if none was written. */
  readonly report: string | undefined;
}

function gpuCheck(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return withDirectory(async (directory) => {
    const output = join(directory, "new", "report.md");
    const ended = await runToEnd(pythonPath(), [command, "--models", "demo", "--output", output, ...args], { env });
    return { ...ended, report: existsSync(output) ? readFileSync(output, "utf8") : undefined };
  });
}

const onCpu = (checks: string, ...others: readonly string[]) =>
  gpuCheck([
    "--device",
    "cpu",
    "--jobs",
    "1",
    "--patience",
    "10",
    "--checks",
    checks,
    "--precisions",
    "float32",
    ...others,
  ]);

/** A report with the tables of which a summary is made. */
const REPORT = `# torch-t5 on cuda

**Not passed: lost-gpu.**

| machine |  |
| --- | --- |
| GPU | NVIDIA X, 80 GiB |
| driver | 580 |
| torch | 2.11.0+cu130, CUDA 13.0 |

| check | what | outcome | s |
| --- | --- | --- | --- |
| \`build\` | the addon | passed | 60 |
| \`bench\` | goals | passed | 170 |
| \`lost-gpu\` | a GPU | **failed** | 9 |

## bench: goals

| goal | precision | limit | measured | met |
| --- | --: | --: | --: | --: |
| greedy, batch 1 | bfloat16 | ≤ 35 ms | 20 ms | yes |

## profile: kernels

|  |  | step, µs |
| --- | --- | --- |
| bfloat16, batch 1 | passed | 300 |
`;

/** Prints what ncu prints for two steps after another kernel: messages, and CSV with names of C++ templates. */
const PROFILER = `
print("==PROF== Connected to process 7")
print('"ID","Kernel Name","Metric Name","Metric Unit","Metric Value"')
layer = ["void gemv_kernel<float, 4>(int)", "layer_norm"]
names = ["start", *[*layer, *layer, "projection"] * 2]
for index, name in enumerate(names):
    unit, value = ("usecond", "2") if "gemv" in name else ("ns", "1,250")
    print(f'"{index}","{name}","gpu__time_duration.sum","{unit}","{value}"')
print("==PROF== Disconnected")`;

/** The section \`profile\` of a report, for the embedded model on the CPU, and with a program in place of ncu. */
function profileWith(program: string): Promise<string> {
  return withDirectory(async (directory) => {
    const ncu = join(directory, "ncu");
    writeFileSync(ncu, `#!${pythonPath()}\n${program}\n`, { mode: 0o755 });
    const settings = { device: "cpu", directory: demoModel };
    const code = [
      "import json, os, pathlib, sys",
      `sys.path.insert(0, ${JSON.stringify(command)})`,
      "from gpu_check import profile, programs, report",
      "run = lambda timeout, *command: programs.run(command, os.environ, timeout)",
      'section = report.Section("profile", "a step")',
      `failure = profile.profile(section, run, ${JSON.stringify(process.execPath)}, profile.find_tool("ncu", ${JSON.stringify(directory)}), json.loads(sys.argv[1]))`,
      'report.Report(pathlib.Path(sys.argv[2]), "", {}, [section])',
      "print(failure)",
    ].join("\n");
    const output = join(directory, "report.md");
    const ended = await runToEnd(pythonPath(), ["-c", code, JSON.stringify(settings), output]);
    assert.equal(ended.stdout.trim(), "", ended.stderr);
    assert.equal(ended.code, 0, ended.stderr);
    return readFileSync(output, "utf8");
  });
}

describe("a row of tokens that differs from Hugging Face's", () => {
  const rescored = (float32: readonly number[], float64: readonly number[]) => ({ float32, float64 });

  it("is a near tie where four rounding errors of float32 explain the difference of the scores", () => {
    const one = rescored([-1, -4.00001], [-1, -4]);
    for (const [score, expected] of [
      [-4.00003, true],
      [-4.00005, false],
    ] as const) {
      const gap = gapOf(one, rescored([-1, score], [-1, score]), 1);
      assert.equal(isNearTie(gap), expected, JSON.stringify(gap));
    }
  });

  it("is a near tie where whole sequences of a beam search have nearly equal scores, in any order", () => {
    const gap = gapOf(rescored([-1, -5], [-1, -5]), rescored([-3, -5], [-3, -5]), 0);
    assert.deepEqual([gap.difference, isNearTie(gap)], [0, true]);
    assert.ok(!isNearTie(gapOf(rescored([-1], [-1]), rescored([-3, -5, -6], [-3, -5, -6]), 0)));
  });

  it("is scored by Hugging Face in float32 and float64", async () => {
    const reference = new Reference();
    try {
      await openExported(reference, "demo", demoModel);
      const sequences = [[10, 11, 12], [10, 11, 13], [10]];
      const [one, other, short] = await rescore({ name: "demo", reference }, { inputIds: [[5, 6, 7]] }, sequences);
      assert.ok(one !== undefined && other !== undefined && short !== undefined);
      assert.deepEqual(one.float64.slice(0, 2), other.float64.slice(0, 2));
      assert.equal(short.float64.length, 1);
      for (const [at, value] of one.float64.entries()) {
        const error = Math.abs((one.float32[at] ?? Number.NaN) - value);
        assert.ok(error > 0 && error < 1e-5, `${error}`);
      }
      assert.ok(!isNearTie(gapOf(one, other, 2)));
      assert.ok(isNearTie(gapOf(one, one, 2)));
    } finally {
      await reference.close();
    }
  });
});

describe("scripts/gpu-check", function () {
  this.timeout(300_000);

  it("reports the machine and what each check measured", async () => {
    const { code, report, stderr } = await onCpu("refusals,forward,sessions,generation,side-by-side");
    assert.equal(code, 0, `${stderr}\n${report}`);
    assert.ok(report !== undefined);
    assert.match(report, /\*\*Every check passed\.\*\*/);
    for (const fact of ["GPU", "driver", "torch", "transformers"])
      assert.match(report, new RegExp(`^\\| ${fact} \\| .+`, "m"));
    for (const name of ["build", "refusals", "forward-float32", "sessions-float32", "generation-float32"]) {
      assert.match(report, new RegExp(`^\\| \`${name}\` \\| .+ \\| passed \\| \\d+ \\|$`, "m"));
    }
    assert.match(report, /^\| demo \| passed \| 0 of 16 shapes \| [\d.]+ \| \S+e-\d+ \|/m);
    assert.match(report, /^\| demo, 4 beams \| passed \| 14 of 14 \| 350 of 350 \| 0 \| {2}\|$/m);
    assert.match(report, /^\| demo, generate and steps \| passed \| 223 of 223 \|/m);
    assert.match(report, /^\| device cuda, no GPU \| passed \| ERR_DEVICE_UNAVAILABLE \|$/m);
  });

  it("exits with 1 when a check fails or crashes, and still runs the others", async () => {
    const precisions = ["--precisions", "float32,float16"];
    const { code, report } = await onCpu("forward,results-float32", "--tolerance", "0", ...precisions);
    assert.equal(code, 1);
    assert.match(report ?? "", /\*\*Not passed: forward-float32, forward-float16\.\*\*/);
    assert.match(report ?? "", /^\| `forward-float32` \| .+ \| \*\*failed\*\* \| \d+ \|$/m);
    assert.match(report ?? "", /^\| demo \| \*\*failed\*\* \| 0 of 16 shapes \|/m);
    assert.match(report ?? "", /^\| `forward-float16` \| .+ \| \*\*ended with 1\*\* \| \d+ \|$/m);
    assert.match(report ?? "", /T5Error: .*precision.*float16/);
    assert.match(report ?? "", /^\| `results-float32` \| .+ \| passed \| \d+ \|$/m);
  });

  it("profiles the kernels of a step with ncu, and the time between them", async () => {
    const report = await profileWith(PROFILER);
    assert.match(report, /^\| bfloat16, batch 1 \| passed \| [\d.]+ \| 5 \| 7\.75 \| [-\d.]+ \|$/m);
    assert.match(report, /^### float32, batch 32$/m);
    assert.match(report, /^\| gemv_kernel \| 2 \| 4\.0 \| 52 % \|$/m);
    assert.match(report, /^\| layer_norm \| 2 \| 2\.5 \| 32 % \|$/m);
  });

  it("reports why ncu profiled nothing, with the time of a step", async () => {
    const refused = 'print("==ERROR== ERR_NVGPUCTRPERM - no permission")\nraise SystemExit(1)';
    const report = await profileWith(refused);
    assert.match(
      report,
      /Kernels were not profiled: \S+ncu: ended with 1: ==ERROR== ERR_NVGPUCTRPERM - no permission\./,
    );
    assert.match(report, /^\| bfloat16, batch 1 \| passed \| [\d.]+ \|$/m);
  });

  it("reports that the device does not exist, and exits with 1", async () => {
    const { code, report } = await gpuCheck(["--device", "cuda"], { CUDA_VISIBLE_DEVICES: "" });
    assert.equal(code, 1);
    assert.match(report ?? "", /^\| `device` \| .+ \| \*\*torch sees no such device\*\* \| \d+ \|$/m);
    assert.match(report ?? "", /^\| `forward-exact` \| .+ \| not run \| {2}\|$/m);
  });

  it("records a summary of a report in the documentation, the newest first", async () => {
    const page = await withDirectory(async (directory) => {
      const [report, page] = [join(directory, "report.md"), join(directory, "page.md")];
      writeFileSync(report, REPORT);
      writeFileSync(page, "# A page\n\n## Runs\n\nAll runs.\n");
      for (const _ of [1, 2]) {
        const { code, stderr } = await runToEnd(pythonPath(), [command, "record", report, "--page", page]);
        assert.equal(code, 0, stderr);
      }
      return readFileSync(page, "utf8");
    });
    const heading = "### \\d{4}-\\d\\d-\\d\\d: NVIDIA X, torch 2.11.0\\+cu130\n";
    assert.match(page, new RegExp(`^# A page\n\n## Runs\n\nAll runs.\n\n${heading}[^#]+\n\n${heading}[^#]+$`));
    assert.match(page, /\| driver {2}\| 580 +\|\n/);
    assert.match(page, /\n\nPassed: `build`, `bench`\.\n\nNot passed: `lost-gpu` \(failed\)\.\n\n/);
    assert.match(page, /\| greedy, batch 1 \| bfloat16 {2}\| ≤ 35 ms \| 20 ms +\| yes \|\n/);
    assert.match(page, /\| bfloat16, batch 1 \| 300 +\|\n/);
  });

  it("prints everything that is missing before anything is built", async () => {
    const nowhere = join(command, "nowhere");
    const { code, report, stderr } = await onCpu("refusals", "--node", nowhere, "--carried", nowhere);
    assert.equal(code, 1);
    assert.equal(report, undefined);
    assert.match(stderr, /found no\n {2}- Node\.js 20\.19/);
  });

  it("refuses an unknown kind of device", async () => {
    const { code, stderr } = await gpuCheck(["--device", "gpu"]);
    assert.equal(code, 2);
    assert.match(stderr, /expected cpu, cuda or cuda:N but received "gpu"/);
  });
});
