import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { program, torchT5 } from "../support/cli.js";
import { withDirectory, withModelCopy } from "../support/directory.js";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  readonly version: string;
};
const COMMANDS = [
  ...["logits", "generate", "score", "rerank", "embed", "classify"],
  ...["pull", "cache", "export", "verify", "doctor", "serve", "setup"],
];

describe("torch-t5", () => {
  it("lists its commands, and no others", async () => {
    for (const args of [[], ["--help"], ["-h"], ["help"]]) {
      const { code, stdout, stderr } = await torchT5(args);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.deepEqual(
        [...stdout.matchAll(/^ {2}(\w+) {2,}/gm)].map((match) => match[1]),
        COMMANDS,
      );
    }
  });

  it("prints the version of the package", async () => {
    assert.deepEqual(await torchT5(["--version"]), { code: 0, stdout: `${version}\n`, stderr: "" });
  });

  for (const command of COMMANDS) {
    it(`prints the help of ${command} without running it`, async () => {
      for (const args of [
        [command, "--help"],
        ["help", command],
        [command, "a", "b", "-h"],
      ]) {
        const { code, stdout, stderr } = await torchT5(args);
        assert.deepEqual([code, stderr], [0, ""]);
        assert.match(stdout, new RegExp(`^torch-t5 ${command}`));
        assert.deepEqual(
          stdout.split("\n").filter((line) => line.length > 120),
          [],
        );
      }
    });
  }

  const wrong: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [
      ["summarize"],
      /Expected a command \(logits, generate, score, rerank, embed, classify, pull, cache, export, verify, doctor, serve, setup\) but received "summarize"/,
    ],
    [[""], /but received ""/],
    [["help", "summarize"], /but received "summarize"/],
    [["help", "generate", "score"], /Expected one command for help but received 2/],
    [["logits"], /Expected a text, or "-" for standard input, but received none/],
    [["logits", "a", "--topk", "3"], /Unknown option '--topk'/],
    [["logits", "a", "--top-k", "0"], /an integer of at least 1 for --top-k but received "0"/],
    [["logits", "a", "--top-k", "many"], /for --top-k but received "many"/],
    [["logits", "a", "--threads", "-1"], /threads/],
    [["logits", "a", "--target"], /--target/],
    [["logits", "a", "b", "--target", "c"], /one --target for each of 2 texts but received 1/],
    [["logits", "-", "a"], /"-" alone/],
    [["generate"], /Expected a text, or "-" for standard input, but received none/],
    [["generate", "-"], /at least one line on standard input/],
    [["logits", "-"], /at least one line on standard input/],
    [["verify"], /Expected one model but received 0/],
    [["verify", "a", "b"], /Expected one model but received 2/],
    [["pull"], /Expected one name but received 0/],
    [["pull", "/tmp"], /Expected a name on the hub but received "\/tmp", a local path/],
    [["pull", "a/b", "--revision", "a..b"], /Expected a branch, tag or commit for --revision but received "a\.\.b"/],
    [["logits", "a", "--revision", "v1"], /Expected a name on the hub with --revision for directory but received/],
    [["cache", "delete"], /Expected no arguments, or delete and one name, but received delete/],
    [["cache", "remove", "a"], /but received remove a/],
    [["verify", "a", "--tolerance", "small"], /a number of at least 0 for --tolerance but received "small"/],
    [["verify", "a", "--max-kl", ""], /a number of at least 0 for --max-kl but received ""/],
    [["verify", "a", "--precision", "half"], /exact, float32, bfloat16, int8 for --precision but received "half"/],
    [["verify", "a", "--precision", "int8", "--exact"], /no --exact with --precision int8 but received both/],
    [["logits", "a", "--precision", "8"], /for --precision but received "8"/],
    [["generate", "a", "--precision", "8"], /for --precision but received "8"/],
    [["embed", "a", "--precision", "8"], /for --precision but received "8"/],
    [["doctor", "now"], /Expected no arguments but received 1/],
    [["setup", "everything"], /Expected no arguments but received 1/],
  ];
  for (const [args, message] of wrong) {
    it(`ends with 2 and one line for: torch-t5 ${args.join(" ")}`, async () => {
      const { code, stdout, stderr } = await torchT5(args);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, /^torch-t5: [^\n]*\n$/);
      assert.match(stderr, message);
    });
  }

  const failing: readonly (readonly [args: readonly string[], code: string])[] = [
    [["logits", "a", "--model", "/nonexistent"], "ERR_MODEL_NOT_FOUND"],
    [["logits", "a", "--device", "gpu"], "ERR_INVALID_ARGUMENT"],
    [["logits", "a", "--device", "cuda:9999"], "ERR_DEVICE_UNAVAILABLE"],
    [["generate", "a", "--model", "/nonexistent"], "ERR_MODEL_NOT_FOUND"],
    [["embed", "a", "--device", "cuda:9999"], "ERR_DEVICE_UNAVAILABLE"],
    [["score", "--model", "/nonexistent"], "ERR_MODEL_NOT_FOUND"],
    [["verify", "/nonexistent"], "ERR_MODEL_NOT_FOUND"],
  ];
  for (const [args, code] of failing) {
    it(`ends with 1 and the code of the error, without a stack, for: torch-t5 ${args.join(" ")}`, async () => {
      const finished = await torchT5(args);
      assert.deepEqual([finished.code, finished.stdout], [1, ""]);
      assert.match(finished.stderr, new RegExp(`^torch-t5: [^\\n]* \\(${code}\\)\\n$`));
    });
  }

  it("rejects a model without a tokenizer in every command that reads text", async () => {
    await withModelCopy(async (directory) => {
      const path = join(directory, "manifest.json");
      const { files, ...manifest } = JSON.parse(readFileSync(path, "utf8"));
      const kept = Object.entries(files).filter(([name]) => !name.startsWith("tokenizer"));
      writeFileSync(path, JSON.stringify({ ...manifest, files: Object.fromEntries(kept) }));
      for (const name of ["tokenizer.json", "tokenizer_config.json"]) rmSync(join(directory, name));
      for (const args of [
        ["logits", "a"],
        ["generate", "a"],
        ["score", "--skip-invalid"],
        ["rerank"],
        ["embed", "a"],
      ]) {
        const { code, stdout, stderr } = await torchT5([...args, "--model", directory], { input: "{}\n" });
        const message = `torch-t5: Expected a model with a tokenizer for --model but received ${JSON.stringify(directory)}\n`;
        assert.deepEqual([code, stdout, stderr], [1, "", message]);
      }
    });
  });

  it("prints what to run where Python can't export", async () => {
    await withDirectory(async (directory) => {
      const env = { TORCH_T5_PYTHON: join(directory, "no-python") };
      const { code, stderr } = await torchT5(["export", "a", join(directory, "b")], { env });
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^torch-t5: Expected Python with torch and transformers but found no Python; run `npx torch-t5 setup --export`\n$/,
      );
    });
  });

  it("passes the arguments of export to the exporter, and ends with its exit code", async () => {
    await withDirectory(async (directory) => {
      const { code, stderr } = await torchT5(["export", join(directory, "none"), join(directory, "out")]);
      assert.equal(code, 1);
      assert.match(stderr, /torch-t5 export: /);
      assert.equal((await torchT5(["export", "only-one-argument"])).code, 2);
    });
  });

  it("ends quietly when its reader closes the pipe", async () => {
    const child = spawn(process.execPath, [program, "logits", "-", "--json"], { stdio: ["pipe", "pipe", "pipe"] });
    child.stdin.on("error", () => {});
    child.stdin.end("spell number: 7\n".repeat(3000));
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdout.once("data", () => child.stdout.destroy());
    const [code] = await once(child, "close");
    assert.deepEqual([code, stderr], [0, ""]);
  });
});
