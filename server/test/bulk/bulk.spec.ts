import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Queue, QueueEvents } from "bullmq";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";
import { withDirectory } from "../../../test/support/directory.js";
import { type Ended, runToEnd } from "../../../test/support/program.js";
import { progressLine } from "../../src/bulk/progress.js";
import { readEnqueue, readWork } from "../../src/command/bulk-arguments.js";
import { useRedis } from "../support/redis.js";
import { program } from "../support/server.js";

const POLL_MS = 10;

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await setTimeout(POLL_MS);
}

interface Result {
  readonly line: number;
  readonly result: { readonly generated_text: string };
}

interface LineError {
  readonly line: number;
  readonly code: string;
  readonly error: string;
}

const jsonLines = <Item>(path: string): readonly Item[] =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

const bodyOf = (number: number) => JSON.stringify({ inputs: `spell number: ${number}` });

/** What the library generates for the numbers from 1. */
async function expectedTexts(count: number): Promise<readonly string[]> {
  await using t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, { precision: "float32", device: "cpu" });
  const { texts } = await t5.generate(Array.from({ length: count }, (_, index) => `spell number: ${index + 1}`));
  return texts ?? [];
}

describe("bulk jobs", () => {
  const redis = useRedis();
  const children: ChildProcess[] = [];

  beforeEach(() => redis().client.flushall());
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "close");
      child.kill("SIGKILL");
      await ended;
    }
  });

  /** Starts a worker, which takes shards as soon as its model is loaded. */
  function work(...args: readonly string[]): ChildProcess {
    const env = { ...process.env, TORCH_T5_API_KEYS: "a key that workers do not need" };
    const all = ["work", "--queue", redis().url, "--stalled-seconds", "2", "--concurrency", "1", ...args];
    const child = spawn(process.execPath, [program, ...all], { env, stdio: ["ignore", "ignore", "ignore"] });
    children.push(child);
    return child;
  }

  const argumentsOf = (directory: string, ...args: readonly string[]) => [
    ...["enqueue", "--queue", redis().url, "--route", "/generate", "--input", join(directory, "in.jsonl")],
    ...["--output", join(directory, "out.jsonl"), ...args],
  ];
  const enqueue = (directory: string, ...args: readonly string[]): Promise<Ended> =>
    runToEnd(process.execPath, [program, ...argumentsOf(directory, ...args)]);

  it("have one result a line in order, although enqueue and two of three workers are killed", () =>
    withDirectory(async (directory) => {
      const count = 240;
      const numbers = Array.from({ length: count }, (_, index) => index + 1);
      writeFileSync(join(directory, "in.jsonl"), numbers.map((number) => `${bodyOf(number)}\n`).join(""));
      const output = join(directory, "out.jsonl");
      const connection = { url: redis().url };
      const queue = new Queue("bulk", { connection, prefix: "torch-t5" });
      const events = new QueueEvents("bulk", { connection, prefix: "torch-t5" });
      await events.waitUntilReady();
      let stalled = 0;
      events.on("stalled", () => {
        stalled++;
      });
      // No worker begins before all three are there.
      await queue.pause();
      const args = ["--shard-lines", "8"];
      const first = spawn(process.execPath, [program, ...argumentsOf(directory, ...args)], { stdio: "ignore" });
      children.push(first);
      const workers = [work(), work(), work()];
      await until(async () => (await queue.getWorkersCount()) === workers.length);
      await queue.resume();

      await until(() => existsSync(output) && readFileSync(output).length > 0);
      const killed = once(first, "close");
      first.kill("SIGKILL");
      await killed;
      assert.ok(existsSync(`${output}.lock`)); // of which the next run finds that its owner has ended
      appendFileSync(output, '{"line":999,"resu'); // what a write that was cut off leaves

      // Each worker has a shard.
      await until(async () => (await queue.getActiveCount()) === workers.length);
      workers[0]?.kill("SIGKILL");
      workers[1]?.kill("SIGKILL");
      const { code, stderr } = await enqueue(directory, ...args);
      assert.equal(code, 0, stderr);
      assert.ok(stalled > 0);
      const results = jsonLines<Result>(output);
      assert.deepEqual(
        results.map(({ line }) => line),
        numbers,
      );
      assert.deepEqual(
        results.map(({ result }) => result.generated_text),
        await expectedTexts(count),
      );
      assert.deepEqual(readdirSync(directory).sort(), ["in.jsonl", "out.jsonl"]);
      await events.close();
      await queue.close();
    }));

  it("write an invalid line to the error file, do again what Redis loses, and refuse a second enqueue", () =>
    withDirectory(async (directory) => {
      const lines = [bodyOf(1), "", "{bad", '{"inputs":5}', '{"inputs":"a","stream":true}', "[".repeat(50_000), "\xff"];
      writeFileSync(join(directory, "in.jsonl"), `${lines.join("\r\n")}\n${bodyOf(8)}`, "latin1");
      const { client } = redis();
      const running = enqueue(directory, "--shard-lines", "2");
      await until(async () => (await client.keys("torch-t5:bulk:*-3")).length > 0);
      await client.flushall();
      // A second enqueue harms nothing, whatever it reads.
      writeFileSync(join(directory, "other.jsonl"), bodyOf(2));
      const other = ["--input", join(directory, "other.jsonl")];
      const errors = join(directory, "out.jsonl.errors");
      for (const args of [[], [...other, "--overwrite"], [...other, "--output", `${errors}.2`, "--errors", errors]]) {
        const second = await enqueue(directory, ...args);
        assert.equal(second.code, 2, second.stderr);
        assert.match(
          second.stderr,
          /^torch-t5-server: Expected a file that no other enqueue writes .* process \d+ on /,
        );
      }
      const worker = work();
      const { code, stderr } = await running;
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^torch-t5-server: 7 lines, 5 errors in .*out\.jsonl\.errors\n$/);
      assert.deepEqual(jsonLines(join(directory, "out.jsonl")), [
        { line: 1, result: { generated_text: "one" } },
        { line: 8, result: { generated_text: "eight" } },
      ]);
      const lineErrors = jsonLines<LineError>(errors);
      assert.deepEqual(
        lineErrors.map(({ line, code }) => [line, code]),
        [3, 4, 5, 6, 7].map((line) => [line, "ERR_INVALID_ARGUMENT"]),
      );
      assert.match(lineErrors.at(-1)?.error ?? "", /Expected UTF-8/);
      worker.kill("SIGTERM");
      assert.deepEqual(await once(worker, "close"), [0, null]);
    }));

  it("stop at SIGTERM, and continue with the same settings only", () =>
    withDirectory(async (directory) => {
      writeFileSync(join(directory, "in.jsonl"), bodyOf(1));
      const child = spawn(process.execPath, [program, ...argumentsOf(directory)], { stdio: "pipe" });
      children.push(child);
      let output = "";
      child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
        output += chunk;
      });
      await until(() => existsSync(join(directory, "out.jsonl.run")));
      child.kill("SIGTERM");
      assert.deepEqual(await once(child, "close"), [1, null]);
      assert.equal(output, "torch-t5-server: Interrupted; the same command continues (ERR_SHUTTING_DOWN)\n");

      const record = readFileSync(join(directory, "out.jsonl.run"), "utf8");
      assert.doesNotMatch(record, /redis:/); // whose URL may have a password
      writeFileSync(join(directory, "out.jsonl.run"), "{}");
      assert.match(
        (await enqueue(directory)).stderr,
        /Expected the record of a run, or --overwrite, for .* \(ERR_INVALID/,
      );
      writeFileSync(join(directory, "out.jsonl.run"), record);

      const other = await enqueue(directory, "--shard-lines", "5");
      assert.equal(other.code, 2);
      assert.match(
        other.stderr,
        /^torch-t5-server: Expected the shardLines of the run that .* \(64\), or --overwrite, /,
      );

      writeFileSync(join(directory, "in.jsonl"), bodyOf(2)); // of the same size
      const changed = await enqueue(directory);
      assert.equal(changed.code, 2);
      assert.match(
        changed.stderr,
        /Expected the input of the run that .*out\.jsonl continues, or --overwrite, for --input /,
      );
      writeFileSync(join(directory, "in.jsonl"), bodyOf(1));

      work();
      const { code, stderr } = await enqueue(directory);
      assert.deepEqual([code, stderr], [0, "torch-t5-server: 1 lines\n"]);
      const again = await enqueue(directory);
      assert.equal(again.code, 2);
      assert.match(again.stderr, /Expected --overwrite, or a new file for --output/);
      assert.equal((await enqueue(directory, "--overwrite")).code, 0);
      assert.deepEqual(jsonLines(join(directory, "out.jsonl")), [{ line: 1, result: { generated_text: "one" } }]);
    }));

  it("end with 1 without Redis, and do not print its password", async () => {
    const queue = "redis://user:secret@127.0.0.1:1";
    const { code, stderr } = await runToEnd(process.execPath, [program, "work", "--queue", queue]);
    assert.equal(code, 1);
    assert.match(stderr, /^torch-t5-server: Expected a Redis server at 127\.0\.0\.1:1 .* \(ERR_QUEUE_UNAVAILABLE\)\n$/);
    assert.doesNotMatch(stderr, /secret/);
  });
});

describe("the command lines of bulk jobs", () => {
  const file = fileURLToPath(import.meta.url);
  const complete = ["--queue", "redis://a", "--route", "/embed", "--input", file, "--output", "out.jsonl"];

  it("have defaults", async () => {
    assert.deepEqual(readEnqueue(complete), {
      ...{ queue: "redis://a", route: "/embed", input: file, output: "out.jsonl", errors: "out.jsonl.errors" },
      ...{ shardLines: 64, window: 1000, overwrites: false },
    });
    assert.deepEqual(await readWork(["--queue", "redis://a", "--model", "b=c"]), {
      ...{ config: { models: [{ name: "b", path: "c" }] }, queue: "redis://a", concurrency: 2, stalledSeconds: 30 },
    });
  });

  for (const [args, message] of [
    [["--shards", "1"], /Unknown option '--shards'/],
    [["more"], /Unexpected argument 'more'/],
    [["--queue", ""], /Expected a value for --queue/],
    [["--route", "embed"], /Expected a route such as \/generate for --route but received "embed"/],
    [["--input", dirname(file)], /Expected a file for --input/],
    [["--input", "/nonexistent"], /Expected a file for --input/],
    [["--output", file], /Expected different files for --input, --output and --errors/],
    [["--shard-lines", "0"], /Expected an integer from 1 to 1000000 for --shard-lines but received "0"/],
    [["--window", "x"], /Expected an integer from 1 to 1000000 for --window/],
  ] as const) {
    it(`refuse ${args.join(" ")}`, () =>
      assert.throws(() => readEnqueue([...complete, ...args]), { code: "ERR_INVALID_ARGUMENT", message }));
  }

  it("refuse what work has not", async () => {
    await assert.rejects(readWork([]), { code: "ERR_INVALID_ARGUMENT", message: /Expected a value for --queue/ });
    await assert.rejects(readWork(["--queue", "redis://a", "--concurrency", "1.5"]), /for --concurrency/);
  });
});

describe("progressLine", () => {
  it("has a bar, the rate, the remaining time and the number of errors", () => {
    const progress = { lines: 50, bytes: 600, initialBytes: 100, totalBytes: 1000, failed: 0, seconds: 100 };
    assert.equal(progressLine(progress), "[==============          ] 60%  50 lines  0.5/s  1:20 left");
    assert.match(progressLine({ ...progress, failed: 2 }), / {2}2 failed$/);
    const empty = { lines: 0, bytes: 0, initialBytes: 0, totalBytes: 0, failed: 0, seconds: 0 };
    assert.equal(progressLine(empty), "[========================] 100%  0 lines  0.0/s");
  });
});
