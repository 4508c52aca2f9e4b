#!/usr/bin/env node
// `npm run bench:arm64`: how fast the inner loops of the arm64 kernels are according to LLVM's models of processors. No
// time is measured: it disassembles the kernels that `npm run build:arm64` compiled, and lets llvm-mca count cycles in
// which every load hits the L1 cache. Prints a table for docs/fused-engine.md.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { stdout } from "node:process";
import * as arm64 from "../../scripts/setup/arm64.mjs";
import { root } from "../../scripts/setup/paths.mjs";

/** LLVM has models of these Neoverse cores since version 17. That of Apple's M1 is an older Apple core's. */
const PROCESSORS = ["neoverse-v1", "neoverse-v2", "apple-m1"];
const SIMULATORS = ["llvm-mca-21", "llvm-mca-20", "llvm-mca-19", "llvm-mca-18", "llvm-mca-17", "llvm-mca"];
const ITERATIONS = 200;
const PANEL_BYTES_PER_WORD = 64;
const OBJECTS = [
  { name: "NEON", file: "neon.cc.o" },
  { name: "NEON with dot products", file: "neon_dotprod.cc.o" },
  { name: "NEON with BF16 and I8MM", file: "neon_matrix.cc.o" },
];
/** By-element and matrix instructions: those of the loops that multiply several words at once. */
const MULTIPLY = /^(fmla|sdot)\s.*\.(s|4b)\[\d\]$|^(bfmmla|usmmla)\s/;
/** Elements in a word of a row and a column that one instruction multiplies. */
const PRODUCTS = { fmla: 4, sdot: 16, bfmmla: 16, usmmla: 32 };

function run(program, args, input) {
  const {
    status,
    error,
    stdout: out,
    stderr,
  } = spawnSync(program, args, { encoding: "utf8", input, maxBuffer: 2 ** 28 });
  return error === undefined && status === 0 ? out : { failure: error?.message ?? stderr };
}

const simulator = SIMULATORS.find((name) => typeof run(name, ["--version"]) === "string");
if (simulator === undefined) throw new Error("Expected llvm-mca of LLVM 17 or newer: apt-get install llvm-19");

/** The innermost loops of an object file, each as its instructions, with the name of its function. */
function loopsOf(path) {
  const listing = run("aarch64-linux-gnu-objdump", ["-d", "-C", "--no-show-raw-insn", path]);
  if (typeof listing !== "string") throw new Error(`${listing.failure}\nRun \`npm run build:arm64\` first`);
  const loops = [];
  let name = "";
  let addresses = [];
  let body = [];
  for (const line of listing.split("\n")) {
    const start = /^[0-9a-f]+ <(.*)>:$/.exec(line);
    if (start) [name, addresses, body] = [start[1], [], []];
    const [, address, text = ""] = /^ *([0-9a-f]+):\t(.*)$/.exec(line) ?? [];
    if (address === undefined) continue;
    const instruction = text
      .replace(/\s*\/\/.*$/, "")
      .replace(/\t/g, " ")
      .trim();
    addresses.push(Number.parseInt(address, 16));
    body.push(instruction);
    const branch = /^(?:b\.\w+|b|cbn?z \w+,|tbn?z \w+, #\d+,) ([0-9a-f]+) </.exec(instruction);
    if (!branch) continue;
    const first = addresses.indexOf(Number.parseInt(branch[1], 16));
    // A backward branch over instructions without any other branch.
    const isInner =
      first >= 0 && !body.slice(first, -1).some((other) => /^(b|br|b\.\w+|cbn?z|tbn?z|ret)( |$)/.test(other));
    if (isInner) loops.push({ name, body: body.slice(first) });
  }
  return loops;
}

/** The cycles of one iteration on a processor. */
function cyclesOf(body, processor) {
  const text = body.map((line) => line.replace(/ [0-9a-f]+ <.*>$/, " .loop"));
  const args = ["-mtriple=aarch64", `-mcpu=${processor}`, "-mattr=+dotprod,+bf16,+i8mm", `-iterations=${ITERATIONS}`];
  const report = run(simulator, args, `.loop:\n${text.join("\n")}\n`);
  const cycles = typeof report === "string" ? /Total Cycles:\s+(\d+)/.exec(report)?.[1] : undefined;
  if (cycles === undefined) throw new Error(report.failure);
  return Number(cycles) / ITERATIONS;
}

/** What a loop multiplies: the data type, rows, and words of the panel. Undefined for other loops. */
function kindOf(body) {
  const multiplications = body.filter((line) => MULTIPLY.test(line));
  const [mnemonic] = multiplications[0]?.split(" ") ?? [];
  if (mnemonic === undefined) return undefined;
  const isMatrix = mnemonic === "bfmmla" || mnemonic === "usmmla";
  const isWidened = mnemonic === "fmla" && body.some((line) => /^(ushll|shl) /.test(line));
  const dataType =
    mnemonic === "sdot" || mnemonic === "usmmla" ? "int8" : isMatrix || isWidened ? "bfloat16" : "float32";
  const words = isMatrix || isWidened ? 2 : 4;
  const perRow = isMatrix ? 4 : 16; // instructions: a matrix instruction multiplies two rows
  return { mnemonic, dataType, words, rows: multiplications.length / perRow, multiplications: multiplications.length };
}

/** The instructions of a mnemonic that a processor can start in a cycle. */
function peakOf(mnemonic, processor) {
  const operands = {
    fmla: "v1.4s, v2.s[0]",
    sdot: "v1.16b, v2.4b[0]",
    bfmmla: "v1.8h, v2.8h",
    usmmla: "v1.16b, v2.16b",
  };
  const independent = Array.from({ length: 24 }, (_, index) => `${mnemonic} v${index + 3}.4s, ${operands[mnemonic]}`);
  return independent.length / cyclesOf(independent, processor);
}

const folder = join(root, arm64.buildFolder, "CMakeFiles", "torch_t5_kernels.dir", "native", "fused", "kernels");
stdout.write(`| kernels | data type | rows | multiply | load | spill | ${PROCESSORS.join(" | ")} | B/cycle |\n`);
stdout.write(`| --- | --- | ---: | ---: | ---: | ---: | ${PROCESSORS.map(() => "---:").join(" | ")} | ---: |\n`);
for (const { name, file } of OBJECTS) {
  const found = new Map();
  for (const { name: owner, body } of loopsOf(join(folder, file))) {
    // Attention's loops have other strides, and the loops that prefetch have one more instruction for each word.
    if (/attend|QueryGroup/.test(owner) || body.some((line) => line.startsWith("prfm"))) continue;
    const kind = kindOf(body);
    const key = kind && `${kind.dataType} ${kind.rows}`;
    if (key !== undefined && !found.has(key)) found.set(key, { ...kind, body });
  }
  const kinds = [...found.values()].filter(({ rows }) => Number.isInteger(rows)).sort((a, b) => a.rows - b.rows);
  for (const { dataType, rows, words, mnemonic, multiplications, body } of kinds) {
    const loads = body.filter((line) => /^ld/.test(line)).length;
    const spills = body.filter((line) => /\[sp/.test(line)).length;
    const cycles = PROCESSORS.map((processor) => cyclesOf(body, processor));
    const shares = PROCESSORS.map((processor, index) => {
      const share = multiplications / cycles[index] / peakOf(mnemonic, processor);
      return `${((multiplications / cycles[index]) * PRODUCTS[mnemonic]).toFixed(0)} (${(100 * share).toFixed(0)} %)`;
    });
    const bytes = ((words * PANEL_BYTES_PER_WORD) / cycles[0]).toFixed(0);
    const cells = [name, dataType, rows, multiplications, loads, spills, ...shares, bytes];
    stdout.write(`| ${cells.join(" | ")} |\n`);
  }
}
