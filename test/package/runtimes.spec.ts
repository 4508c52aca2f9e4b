import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withDirectory } from "../support/directory.js";
import { makeInstalledProject, succeed, withLibtorch } from "../support/packed.js";
import { bun, deno, newerNode } from "../support/tools.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const programs = fileURLToPath(new URL("programs", import.meta.url));

/** The examples that need no file of the caller. */
const EXAMPLES = [
  "argmax-to-text",
  "constrained-decoding",
  "custom-sampling",
  "decode-many",
  "embeddings",
  "hidden-states",
  "logits",
  "rerank",
  "streaming",
];

const runExamples = async (program: string, ...options: readonly string[]) => {
  const args = [...options, join(programs, "examples.mjs"), ...EXAMPLES];
  const { stdout, stderr } = await succeed(program, args, root, { OMP_NUM_THREADS: "1" });
  return { stdout, stderr };
};

describe("the examples", () => {
  let expected: string;
  before(async () => {
    expected = (await runExamples(process.execPath)).stdout;
    assert.match(expected, /--- streaming\nforty-eight thousand two hundred thirteen\n$/);
  });

  it("print the same on a newer Node.js", async () => {
    assert.deepEqual(await runExamples(newerNode), { stdout: expected, stderr: "" });
  });

  it("print the same on Bun, where tensors are disposed as well", async () => {
    assert.deepEqual(await runExamples(bun(), "run"), { stdout: expected, stderr: "" });
  });

  it("print the same on Deno", async () => {
    assert.deepEqual(await runExamples(deno(), "run", "--allow-all", "--no-lock"), { stdout: expected, stderr: "" });
  });
});

describe("a runtime that refuses external buffers, as Electron does", () => {
  interface Report {
    readonly length: number;
    readonly before: number;
    readonly after: number;
    readonly results: unknown;
  }

  async function report(project: string): Promise<Report> {
    const program = join(project, "copied.mjs");
    copyFileSync(join(programs, "copied.mjs"), program);
    const { stdout } = await succeed(process.execPath, [program], project, withLibtorch());
    const { length, before, after, ...results } = JSON.parse(stdout);
    return { length, before, after, results };
  }

  it("gets copies with the same numbers, whose tensors can be disposed", () =>
    withDirectory(async (project) => {
      await makeInstalledProject(project);
      const shared = await report(project);
      const prebuilds = join(project, "node_modules", "torch-t5", "prebuilds", `${process.platform}-${process.arch}`);
      // The objects of the addon, linked with a napi_create_external_arraybuffer that refuses.
      copyFileSync(join(root, "build", "test", "native", "torch_t5_copying.node"), join(prebuilds, "torch_t5.node"));
      const copied = await report(project);
      assert.deepEqual(copied.results, shared.results);
      assert.deepEqual([shared.length, shared.after], [0, 0]);
      assert.deepEqual([copied.length, copied.before, copied.after], [0, shared.before, shared.before]);
    }));
});
