import assert from "node:assert/strict";
import { join } from "node:path";
import { before } from "mocha";
import { demoModel } from "torch-t5";
import { useHub } from "../hub/hub.js";
import { filesOf, type Repository, repositoryOf } from "../hub/server.js";
import { onTerminal, torchT5 } from "../support/cli.js";

const cpu = ["--device", "cpu", "--precision", "float32"];

describe("the command line with names on the hub", () => {
  const hub = useHub();
  let demo: Repository;
  before(() => {
    demo = repositoryOf(filesOf(demoModel), ["main", "v1.0"]);
  });
  const snapshot = () => join(hub().cache, "models--org--demo", "snapshots", demo.commit);

  it("pulls a model, lists it, runs it without a download, verifies it, and deletes it", async () => {
    const { server } = hub();
    server.add("org/demo", demo);
    assert.deepEqual(await torchT5(["cache"]), { code: 0, stdout: "The cache has no models.\n", stderr: "" });
    assert.deepEqual(await torchT5(["pull", "org/demo"]), { code: 0, stdout: `${snapshot()}\n`, stderr: "" });
    const { stdout } = await torchT5(["cache"]);
    assert.match(stdout, /^model +size +revisions\norg\/demo +3\.7 MB +main\n1 model, 3\.7 MB\n$/);
    server.requests.length = 0;
    const args = ["generate", "spell number: 48213", "--model", "org/demo", ...cpu];
    const expected = { code: 0, stdout: "forty-eight thousand two hundred thirteen\n", stderr: "" };
    assert.deepEqual(await torchT5(args), expected);
    assert.deepEqual(server.downloads(), []);
    const offline = { env: { HF_HUB_OFFLINE: "1" } };
    assert.deepEqual(await torchT5(args, offline), expected);
    const verified = await torchT5(["verify", "org/demo", "--precision", "float32"], offline);
    assert.equal(verified.code, 0, verified.stderr);
    assert.match(verified.stdout, /: every file matches its manifest/);
    assert.match((await torchT5(["cache", "delete", "org/demo"])).stdout, /^Deleted org\/demo: 3\.7 MB\n$/);
    const failed = await torchT5(args, offline);
    assert.equal(failed.code, 1);
    assert.match(
      failed.stderr,
      /^torch-t5: Expected .*HF_HUB_OFFLINE is set, but found none \(ERR_MODEL_NOT_FOUND\)\n$/,
    );
  });

  it("shows the progress of a download on a terminal, and downloads for --model and --revision", async () => {
    const { server } = hub();
    server.add("org/demo", demo);
    const pulled = await onTerminal(["pull", "org/demo", "--revision", "v1.0"]);
    assert.equal(pulled.code, 0, pulled.stdout);
    assert.match(pulled.stdout, /\[[= ]{24}\] \d+% {2}\S+ \w+ of 3\.7 MB/);
    assert.ok(pulled.stdout.includes(snapshot()));
    await torchT5(["cache", "delete", "org/demo"]);
    const { code, stderr } = await torchT5(["logits", "a", "--model", "org/demo", "--revision", "v1.0", ...cpu]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match((await torchT5(["cache"])).stdout, /\norg\/demo .* v1\.0\n/);
  });

  it("reports a failure in one line, with its code", async () => {
    hub().server.add("org/demo", { ...demo, refs: [] });
    for (const [args, message] of [
      [["pull", "org/none"], /with the name "org\/none" but found neither; .* \(ERR_MODEL_NOT_FOUND\)/],
      [["embed", "a", "--model", "org/demo"], /a branch, tag or commit of "org\/demo" on http\S+ for the revision/],
      [["classify", "a", "--model", "org/none"], /ERR_MODEL_NOT_FOUND/],
      [["verify", "org/none"], /ERR_MODEL_NOT_FOUND/],
      [["cache", "delete", "org/none"], /ERR_MODEL_NOT_FOUND/],
    ] as const) {
      const { code, stdout, stderr } = await torchT5(args);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /^torch-t5: [^\n]*\n$/);
      assert.match(stderr, message);
    }
  });
});
