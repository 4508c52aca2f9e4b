import assert from "node:assert/strict";
import { env } from "node:process";
import { fileURLToPath } from "node:url";
import { runToEnd } from "../support/program.js";
import { FAILING_ALLOCATIONS } from "./programs/failing-allocations.js";

/** Of each precision: 6 s, or as many as TORCH_T5_SOAK_SECONDS says; `npm run test:soak` has 30 minutes. */
const SECONDS = Number(env.TORCH_T5_SOAK_SECONDS ?? 6);
/**
 * How much more memory may be in use at the end, when every model is disposed, than after the same load before. Bytes in
 * use are counted, so that neither fragmentation nor the load of the machine matters. The rest is what the heap keeps for
 * each thread (native, 0.3 MB), compiled code (JavaScript, 1.3 MB), and 3 kB for each terminated worker.
 */
const ALLOWED_GROWTH_MB = { native: 1.5, javaScript: 4 };
const ALLOWED_GROWTH_MB_OF_WORKER = 0.008;
/** While models live, they keep the memory of their largest passes. It differs with their sizes, by 15 MB. */
const ALLOWED_GROWTH_OF_MODELS_MB = 60;
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

/** Bytes in use. */
interface Memory {
  /** 0 where it can't be counted. */
  readonly native: number;
  readonly javaScript: number;
  readonly resident: number;
}

interface Soaked {
  readonly started: number;
  readonly settled: number;
  readonly counts: Readonly<Record<string, number>>;
  /** After each round of the load, with idle models. */
  readonly memory: readonly Memory[];
  /** Without models: after the first load, and at the end. */
  readonly before: Memory;
  readonly after: Memory;
}

const MB = 2 ** 20;
const KINDS = ["native", "javaScript", "resident"] as const;

const grownMb = (from: Memory, to: Memory, kind: keyof Memory) => Number(((to[kind] - from[kind]) / MB).toFixed(2));

/** The slope of the line that fits values, one every `seconds`, best. */
function growthPerHour(values: readonly number[], seconds: number): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const covariance = values.reduce((sum, value, index) => sum + (index - middle) * (value - mean), 0);
  const variance = values.reduce((sum, _, index) => sum + (index - middle) ** 2, 0);
  return (covariance / variance / seconds) * 3600;
}

describe("a process under mixed load with faults", () => {
  for (const precision of ["exact", "float32"]) {
    it(`answers or refuses each call once, and leaks nothing, in ${precision}`, async function () {
      this.timeout((1.5 * SECONDS + 240) * 1000); // measuring after each round takes time as well
      const ended = await runToEnd(
        process.execPath,
        ["--expose-gc", "--import=tsx", program, String(SECONDS), precision],
        { env: ENVIRONMENT },
      );
      assert.equal(ended.code, 0, ended.stderr);
      const { started, settled, counts, memory, before, after } = JSON.parse(ended.stdout) as Soaked;
      assert.equal(settled, started);
      for (const fault of FAULTS) assert.ok((counts[fault] ?? 0) > 0, `no call was ${fault}`);
      assert.ok((counts.answered ?? 0) > 20, `${counts.answered} answers`);
      const [first, last] = [memory[0], memory.at(-1)];
      assert.ok(first && last);
      if (env.TORCH_T5_SOAK_SECONDS) {
        console.log(ended.stdout);
        for (const kind of KINDS) {
          const later = memory.slice(Math.floor(memory.length / 3)).map((bytes) => bytes[kind] / MB);
          const slope = growthPerHour(later, SECONDS / memory.length);
          console.log(`${kind}: ${grownMb(before, after, kind)} MB in all, ${slope.toFixed(2)} MB an hour with models`);
        }
      }
      const ofWorkers = ALLOWED_GROWTH_MB_OF_WORKER * (counts["killed workers"] ?? 0);
      for (const kind of ["native", "javaScript"] as const) {
        const grown = grownMb(before, after, kind);
        assert.ok(grown < ALLOWED_GROWTH_MB[kind] + ofWorkers, `${kind} memory grew by ${grown} MB`);
        const grownWithModels = grownMb(first, last, kind);
        assert.ok(
          grownWithModels < ALLOWED_GROWTH_OF_MODELS_MB,
          `${kind} memory of models grew by ${grownWithModels} MB`,
        );
      }
    });
  }
});
