// The emulator in which arm64 programs run. `npm run test:arm64` describes it in the environment.
import { env } from "node:process";
import { type Ended, runToEnd } from "../support/program.js";

/** How arm64 programs are run: scripts/setup/arm64.mjs has the values. */
interface Emulation {
  readonly emulator: string;
  readonly sysroot: string;
  /** Node.js for arm64. */
  readonly node: string;
  /** libtorch for arm64. */
  readonly libtorch: string;
  /** The folder of the native test programs. */
  readonly testPrograms: string;
  readonly testProgramNames: readonly string[];
  /** The folder of the prebuilt addons. */
  readonly prebuilds: string;
  /** Zig, which compiles for macOS. */
  readonly macosCompiler: string;
}

/**
 * Processors that the emulator knows, and the kernels that each one uses. On the first arm64 processors, such as
 * cortex-a53, the BLAS in libtorch's wheel has instructions that they lack.
 */
export const PROCESSORS = [
  { processor: "max", kernels: "NEON with BF16 and I8MM" },
  { processor: "neoverse-n1", kernels: "NEON with dot products" },
  { processor: "a64fx", kernels: "NEON" },
] as const;

export type Processor = (typeof PROCESSORS)[number]["processor"];

export const emulation = readEmulation();

function readEmulation(): Emulation {
  const description = env.TORCH_T5_EMULATION;
  if (description === undefined) throw new Error("`npm run test:arm64` runs these tests");
  return JSON.parse(description) as Emulation;
}

/** Runs an arm64 program to its end. */
export function runEmulated(processor: Processor, program: string, args: readonly string[]): Promise<Ended> {
  const { emulator, sysroot, libtorch } = emulation;
  return runToEnd(emulator, ["-cpu", processor, "-L", sysroot, program, ...args], { env: { LIBTORCH: libtorch } });
}
