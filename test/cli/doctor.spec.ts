import assert from "node:assert/strict";
import { join } from "node:path";
import { demoModel, runtimeInfo } from "torch-t5";
import { torchT5 } from "../support/cli.js";
import { withDirectory } from "../support/directory.js";

const findingOf = (stdout: string, about: string) => new RegExp(`^(\\w+) +${about} +(.*)$`, "m").exec(stdout)?.slice(1);

describe("torch-t5 doctor", () => {
  it("prints a line for each check, and ends with 0 where nothing is wrong", async () => {
    const { code, stdout, stderr } = await torchT5(["doctor"]);
    assert.deepEqual([code, stderr], [0, ""], stdout);
    const { libtorch, addonPath, cpuCapability, kernels } = runtimeInfo();
    assert.deepEqual(findingOf(stdout, "Node.js"), ["ok", process.versions.node]);
    assert.deepEqual(findingOf(stdout, "libtorch"), [
      "ok",
      `${libtorch.version}, ${libtorch.source}: ${libtorch.directory}`,
    ]);
    assert.deepEqual(findingOf(stdout, "addon"), ["ok", `built for this libtorch: ${addonPath}`]);
    assert.deepEqual(findingOf(stdout, "SIMD"), ["ok", cpuCapability]);
    assert.deepEqual(findingOf(stdout, "kernels"), ["ok", kernels]);
    assert.match(
      kernels,
      /^(AMX|AVX512|AVX512 with BF16|AVX2|NEON( with dot products| with BF16 and I8MM)?|portable)$/,
    );
    assert.match(findingOf(stdout, "devices")?.[1] ?? "", /^cpu/);
    assert.match(findingOf(stdout, "threads")?.[1] ?? "", /^\d+ per operator, \d+ side by side/);
    assert.match(findingOf(stdout, "Python")?.[1] ?? "", /can export models/);
    assert.deepEqual(findingOf(stdout, "embedded model"), ["ok", `every file is intact, and it runs: ${demoModel}`]);
  });

  it("ends with 1 where something is wrong, and prints what to run", async () => {
    const { code, stdout } = await torchT5(["doctor"], { env: { LIBTORCH: "/nonexistent" } });
    assert.equal(code, 1);
    const [status, detail] = findingOf(stdout, "libtorch") ?? [];
    assert.equal(status, "problem");
    assert.match(detail ?? "", /run `npm run setup`.* \(ERR_LIBTORCH_NOT_FOUND\)$/);
    assert.match(stdout, /\nProblems: 2\n$/);
  });

  it("notes a missing Python and still ends with 0, because only export needs it", async () => {
    await withDirectory(async (directory) => {
      const { code, stdout } = await torchT5(["doctor"], { env: { TORCH_T5_PYTHON: join(directory, "none") } });
      assert.equal(code, 0, stdout);
      assert.deepEqual(findingOf(stdout, "Python"), [
        "note",
        "none found; only `torch-t5 export` needs it; run `npx torch-t5 setup --export`",
      ]);
    });
  });
});
