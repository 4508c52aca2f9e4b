import assert from "node:assert/strict";
import { env } from "node:process";
import { fileURLToPath } from "node:url";
import { runToEnd } from "../support/program.js";
import { FAILING_ALLOCATIONS } from "./programs/failing-allocations.js";

/** Of each precision: 6 s, or as many as TORCH_T5_SOAK_SECONDS says; `npm run test:soak` has 30 minutes. */
const SECONDS = Number(env.TORCH_T5_SOAK_SECONDS ?? 6);
/**
 * A worker with its model comes and goes, which moves the resident memory by up to 150 MB from sample to sample, and
 * the allocator keeps some of what it freed. The median of many samples moves by far less.
 */
const ALLOWED_GROWTH_MB = 60;
/** Calls that end in ways that a fault causes, and must occur. */
const FAULTS = [
  "aborted",
  "abandoned",
  "broken",
  "slow",
  "processor threw",
  "ERR_TOKEN_OUT_OF_RANGE",
  "killed workers",
  ...(process.platform === "linux" ? ["ERR_OUT_OF_MEMORY", "failed allocations"] : []),
];
/** Allocations fail where the library that lets them fail exists. */
const ENVIRONMENT = process.platform === "linux" ? { LD_PRELOAD: FAILING_ALLOCATIONS } : {};

const program = fileURLToPath(new URL("./programs/soak.ts", import.meta.url));

interface Soaked {
  readonly started: number;
  readonly settled: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly rss: readonly number[];
}

/** The slope of the line that fits values, one every `seconds`, best. */
function growthPerHour(values: readonly number[], seconds: number): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const covariance = values.reduce((sum, value, index) => sum + (index - middle) * (value - mean), 0);
  const variance = values.reduce((sum, _, index) => sum + (index - middle) ** 2, 0);
  return (covariance / variance / seconds) * 3600;
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

describe("a process under mixed load with faults", () => {
  for (const precision of ["exact", "float32"]) {
    it(`answers or refuses each call once, and its resident memory stays constant, in ${precision}`, async function () {
      this.timeout((SECONDS + 120) * 1000);
      const ended = await runToEnd(
        process.execPath,
        ["--expose-gc", "--import=tsx", program, String(SECONDS), precision],
        { env: ENVIRONMENT },
      );
      assert.equal(ended.code, 0, ended.stderr);
      const { started, settled, counts, rss } = JSON.parse(ended.stdout) as Soaked;
      assert.equal(settled, started);
      for (const fault of FAULTS) assert.ok((counts[fault] ?? 0) > 0, `no call was ${fault}`);
      assert.ok((counts.answered ?? 0) > 20, `${counts.answered} answers`);
      const third = Math.floor(rss.length / 3);
      if (env.TORCH_T5_SOAK_SECONDS) {
        console.log(
          ended.stdout,
          `Resident memory grows by ${growthPerHour(rss.slice(third), SECONDS / rss.length).toFixed(1)} MB an hour`,
        );
      }
      const [early, late] = [median(rss.slice(third, 2 * third)), median(rss.slice(2 * third))];
      assert.ok(late - early < ALLOWED_GROWTH_MB, `grew from ${early} MB to ${late} MB`);
    });
  }
});
