// The CPU quota of this process's control group, and the number of threads that models use by default within it.
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { env as processEnv } from "node:process";

/** One kind of control group, mounted below `/sys/fs/cgroup`. */
interface Hierarchy {
  /** Finds the group's path in `/proc/self/cgroup`. */
  readonly line: RegExp;
  /** The folders that it may be mounted at. */
  readonly mounts: readonly string[];
  /** The quota of one group, in CPUs; undefined if it has none. */
  readonly read: (readFields: (file: string) => readonly string[]) => number | undefined;
}

const HIERARCHIES: readonly Hierarchy[] = [
  {
    line: /^0::(.*)$/m,
    mounts: ["", "unified"],
    // "max 100000" without a quota.
    read: (readFields) => ratio(readFields("cpu.max")),
  },
  {
    line: /^\d+:(?:[^:\n]*,)?cpu(?:,[^:\n]*)?:(.*)$/m,
    mounts: ["cpu", "cpu,cpuacct", "cpuacct,cpu"],
    // -1 without a quota.
    read: (readFields) => ratio([...readFields("cpu.cfs_quota_us"), ...readFields("cpu.cfs_period_us")]),
  },
];

/** Environment variables that set PyTorch's number of threads. */
const THREAD_VARIABLES = ["OMP_NUM_THREADS", "MKL_NUM_THREADS"] as const;

/**
 * The CPU time per time that this process's control groups allow, for instance 1.5 CPUs; undefined without a quota.
 * Linux only. A parent's quota holds for its groups, so the smallest one counts. `root` is the root of the file system.
 */
export function cpuQuota(root = "/"): number | undefined {
  const groups = readText(join(root, "proc/self/cgroup"));
  const quotas = HIERARCHIES.flatMap(({ line, mounts, read }) => {
    const [, group] = line.exec(groups) ?? [];
    if (group === undefined) return [];
    return mounts.flatMap((mount) =>
      withParents(group).map((path) =>
        read((file) =>
          readText(join(root, "sys/fs/cgroup", mount, path, file))
            .trim()
            .split(/\s+/),
        ),
      ),
    );
  });
  const found = quotas.filter((quota) => quota !== undefined);
  return found.length === 0 ? undefined : Math.min(...found);
}

/** The number of whole CPUs in a quota, at least 1: as many threads as can run all the time. */
export function threadsWithin(quota: number): number {
  return Math.max(1, Math.floor(quota));
}

/**
 * The number of threads per operator that a model uses by default: PyTorch's own, which follows the affinity mask, or
 * the CPU quota where that is lower, unless an environment variable sets PyTorch's number.
 */
export function defaultThreads(
  pyTorchThreads: number,
  quota: number | undefined,
  env: Readonly<Record<string, string | undefined>> = processEnv,
): number {
  if (quota === undefined || threadVariable(env) !== undefined) return pyTorchThreads;
  return Math.min(pyTorchThreads, threadsWithin(quota));
}

/** The name of the environment variable that sets PyTorch's number of threads, or undefined. */
function threadVariable(env: Readonly<Record<string, string | undefined>> = processEnv): string | undefined {
  return THREAD_VARIABLES.find((name) => env[name] !== undefined && env[name] !== "");
}

/**
 * A group's path and those of its parents. In a container the path may be the host's, of which the container sees the
 * root alone.
 */
function withParents(group: string): readonly string[] {
  const paths = [group];
  for (let path = group; path !== posix.dirname(path); ) {
    path = posix.dirname(path);
    paths.push(path);
  }
  return paths;
}

/** Quota by period, or undefined unless both are positive numbers. */
function ratio([quota, period]: readonly string[]): number | undefined {
  const ratio = Number(quota) / Number(period);
  return Number.isFinite(ratio) && ratio > 0 ? ratio : undefined;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
