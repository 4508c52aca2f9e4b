import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { runToEnd } from "../support/program.js";
import { newerNode } from "../support/tools.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

const run = (node: string, program: string, ...options: readonly string[]) =>
  runToEnd(node, [...options, "-e", program], { cwd: root });

describe('require("torch-t5")', () => {
  for (const node of new Set([process.execPath, newerNode])) {
    it(`gives the module that import gives, on ${node === newerNode ? "Node.js 24" : "this Node.js"}`, async () => {
      const program = `const required = require("torch-t5");
        import("torch-t5").then((imported) => {
          const differing = Object.keys(imported).filter((name) => imported[name] !== required[name]);
          console.log(JSON.stringify({ differing, tensor: typeof required.Tensor }));
        });`;
      const { code, stdout, stderr } = await run(node, program);
      assert.deepEqual([code, stderr.replace(/^.*(ExperimentalWarning|--trace-warnings).*\n/gm, "")], [0, ""]);
      assert.deepEqual(JSON.parse(stdout), { differing: [], tensor: "function" });
    });
  }

  it("says which Node.js it needs where Node.js can't require ECMAScript modules", async () => {
    const { code, stderr } = await run(process.execPath, 'require("torch-t5")', "--no-experimental-require-module");
    assert.equal(code, 1);
    assert.match(
      stderr,
      /Error: Expected Node\.js 20\.19, 22\.12 or newer for require\("torch-t5"\) but received \d+\.\d+\.\d+; use import\("torch-t5"\), or a newer Node\.js/,
    );
  });
});
