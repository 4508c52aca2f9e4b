import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkThreads } from "#lib/cli/commands/doctor.js";
import { cpuQuota, defaultThreads } from "#lib/native/cpu-quota.js";
import { withDirectory } from "../support/directory.js";
import { runToEnd } from "../support/program.js";

/** The CPU quota of a file system with these files. */
function quotaOf(files: Readonly<Record<string, string>>): Promise<number | undefined> {
  return withDirectory(async (root) => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
    return cpuQuota(root);
  });
}

const V2 = "0::/kube/pod/box\n";
const V1 = "12:memory:/box\n4:cpu,cpuacct:/box\n3:cpuset:/box\n0::/\n";

describe("the CPU quota of a control group", () => {
  const cases: readonly (readonly [string, Readonly<Record<string, string>>, number | undefined])[] = [
    ["none without control groups", {}, undefined],
    [
      "none without a quota, version 2",
      { "proc/self/cgroup": V2, "sys/fs/cgroup/kube/pod/box/cpu.max": "max 100000\n" },
      undefined,
    ],
    ["cpu.max, version 2", { "proc/self/cgroup": V2, "sys/fs/cgroup/kube/pod/box/cpu.max": "150000 100000\n" }, 1.5],
    [
      "the smallest of the parents', version 2",
      {
        "proc/self/cgroup": V2,
        "sys/fs/cgroup/kube/pod/box/cpu.max": "800000 100000\n",
        "sys/fs/cgroup/kube/pod/cpu.max": "200000 50000\n",
        "sys/fs/cgroup/kube/cpu.max": "max 100000\n",
      },
      4,
    ],
    [
      "the root's, where the container doesn't see its path",
      { "proc/self/cgroup": "0::/../../host/path\n", "sys/fs/cgroup/cpu.max": "200000 100000\n" },
      2,
    ],
    [
      "cpu.cfs_quota_us, version 1",
      {
        "proc/self/cgroup": V1,
        "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "50000\n",
        "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000\n",
      },
      0.5,
    ],
    [
      "none without a quota, version 1",
      {
        "proc/self/cgroup": V1,
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
      },
      undefined,
    ],
    ["none in files of another form", { "proc/self/cgroup": "?\n0::/a", "sys/fs/cgroup/a/cpu.max": "0 0" }, undefined],
  ];
  for (const [what, files, expected] of cases) {
    it(what, async () => assert.equal(await quotaOf(files), expected));
  }
});

describe("the default number of threads", () => {
  it("is PyTorch's, or the whole CPUs of the quota where they are fewer", () => {
    assert.equal(defaultThreads(8, undefined, {}), 8);
    assert.equal(defaultThreads(8, 3.9, {}), 3);
    assert.equal(defaultThreads(8, 0.5, {}), 1);
    assert.equal(defaultThreads(2, 3.9, {}), 2);
  });

  it("is PyTorch's where an environment variable sets it", () => {
    assert.equal(defaultThreads(8, 2, { OMP_NUM_THREADS: "8" }), 8);
    assert.equal(defaultThreads(8, 2, { MKL_NUM_THREADS: "8" }), 8);
    assert.equal(defaultThreads(8, 2, { OMP_NUM_THREADS: "" }), 2);
  });

  it("follows the affinity mask, as PyTorch's does", async () => {
    const [first = ""] = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.slice(1) ?? [];
    const program = `import { runtimeInfo } from "torch-t5";
      const { intraOpThreads, defaultThreads } = runtimeInfo();
      console.log(intraOpThreads, defaultThreads);`;
    const args = ["-c", first, process.execPath, "--input-type=module", "-e", program];
    const { stdout, stderr, code } = await runToEnd("taskset", args, {
      env: { OMP_NUM_THREADS: undefined, MKL_NUM_THREADS: undefined },
    });
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "1 1\n");
  });
});

describe("torch-t5 doctor names threads that don't fit the CPU quota", () => {
  const info = { intraOpThreads: 8, interOpThreads: 8, parallelBackend: "OpenMP" };

  it("nothing without a quota, or with one that is large enough", () => {
    assert.equal(checkThreads({ ...info, cpuQuota: undefined, defaultThreads: 8 }).status, "ok");
    assert.equal(checkThreads({ ...info, cpuQuota: 8.5, defaultThreads: 8 }).status, "ok");
  });

  it("a quota that lowers the default, and PyTorch's own number", () => {
    const { status, detail } = checkThreads({ ...info, cpuQuota: 2.5, defaultThreads: 2 });
    assert.equal(status, "note");
    assert.match(detail, /^2 per operator, 8 side by side \(OpenMP\), as the CPU quota is 2\.50; .* those of 8$/);
  });

  it("more threads than the quota", () => {
    const { status, detail } = checkThreads({ ...info, cpuQuota: 2, defaultThreads: 8 });
    assert.equal(status, "note");
    assert.match(detail, /the CPU quota is 2\.00: more threads than CPUs are slow; set OMP_NUM_THREADS/);
  });
});
