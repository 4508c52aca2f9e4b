import assert from "node:assert/strict";
import { join } from "node:path";
import { demoModel, runtimeInfo } from "torch-t5";
import { torchT5 } from "../support/cli.js";
import { withDirectory } from "../support/directory.js";

const stateOf = (stdout: string, about: string) => new RegExp(`^(\\w+) +${about} +(.*)$`, "m").exec(stdout)?.slice(1);

describe("torch-t5 doctor", () => {
  it("tells what was found, and that nothing is wrong", async () => {
    const { code, stdout, stderr } = await torchT5(["doctor"]);
    assert.deepEqual([code, stderr], [0, ""], stdout);
    const { libtorch, addonPath, cpuCapability } = runtimeInfo();
    assert.deepEqual(stateOf(stdout, "Node.js"), ["ok", process.versions.node]);
    assert.deepEqual(stateOf(stdout, "libtorch"), [
      "ok",
      `${libtorch.version}, ${libtorch.source}: ${libtorch.directory}`,
    ]);
    assert.deepEqual(stateOf(stdout, "addon"), ["ok", `built for this libtorch: ${addonPath}`]);
    assert.deepEqual(stateOf(stdout, "SIMD"), ["ok", cpuCapability]);
    assert.match(stateOf(stdout, "devices")?.[1] ?? "", /^cpu/);
    assert.match(stateOf(stdout, "threads")?.[1] ?? "", /^\d+ per operator, \d+ side by side/);
    assert.match(stateOf(stdout, "Python")?.[1] ?? "", /can export models/);
    assert.deepEqual(stateOf(stdout, "embedded model"), ["ok", `every file is intact, and it runs: ${demoModel}`]);
  });

  it("ends with 1 where something is wrong, and says what to run", async () => {
    const { code, stdout } = await torchT5(["doctor"], { env: { LIBTORCH: "/nonexistent" } });
    assert.equal(code, 1);
    const [state, detail] = stateOf(stdout, "libtorch") ?? [];
    assert.equal(state, "problem");
    assert.match(detail ?? "", /run `npm run setup`.* \(ERR_LIBTORCH_NOT_FOUND\)$/);
    assert.match(stdout, /\nProblems: 2\n$/);
  });

  it("only notes a missing Python, because nothing but export needs it", async () => {
    await withDirectory(async (directory) => {
      const { code, stdout } = await torchT5(["doctor"], { env: { TORCH_T5_PYTHON: join(directory, "none") } });
      assert.equal(code, 0, stdout);
      assert.deepEqual(stateOf(stdout, "Python"), [
        "note",
        "none found; only `torch-t5 export` needs it; run `npx torch-t5 setup --export`",
      ]);
    });
  });
});
