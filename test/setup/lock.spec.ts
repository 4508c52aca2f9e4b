import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { withDirectory } from "../support/directory.js";

const programOf = (name: string) => fileURLToPath(new URL(`programs/${name}.mjs`, import.meta.url));

/** A process that runs one of the programs, and the first line that it prints. */
interface Started {
  readonly child: ChildProcessWithoutNullStreams;
  readonly line: Promise<string>;
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>;
}

const children = new Set<ChildProcessWithoutNullStreams>();

function start(program: string, ...args: readonly string[]): Started {
  const child = spawn(execPath, [programOf(program), ...args]);
  children.add(child);
  // A process that was killed has closed its input.
  child.stdin.on("error", () => {});
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const line = once(createInterface({ input: child.stdout }), "line").then(([first]) => String(first));
  // A process that fails prints no line: the test that waits for its end shows why.
  line.catch(() => {});
  return { child, line, ended: once(child, "close").then(([code]) => ({ code, stderr })) };
}

interface Contender {
  readonly times: number;
  readonly ending: "release" | "die";
}

/** Starts all contenders at once, waits for them to end, and checks that no two of them held the lock at once. */
async function contend(directory: string, contenders: readonly Contender[]): Promise<void> {
  writeFileSync(join(directory, "log"), "");
  writeFileSync(join(directory, "count"), "0");
  const started = contenders.map(({ times, ending }) => start("contend", directory, String(times), ending));
  await Promise.all(started.map(({ line }) => line));
  for (const { child } of started) child.stdin.write("begin\n");
  for (const [index, { ended }] of started.entries()) {
    const { code, stderr } = await ended;
    assert.equal(code, contenders[index]?.ending === "die" ? null : 0, stderr);
  }
  const lines = readFileSync(join(directory, "log"), "utf8").trimEnd().split("\n");
  const dying = started.filter((_, index) => contenders[index]?.ending === "die").map(({ child }) => child.pid);
  let owner: number | undefined;
  for (const line of lines) {
    const [event, pid] = [line.split(" ")[0], Number(line.split(" ")[1])];
    if (event === "release") {
      assert.equal(pid, owner, `${pid} released the lock of ${owner}`);
      owner = undefined;
    } else {
      assert.ok(owner === undefined || dying.includes(owner), `${pid} acquired the lock of ${owner}`);
      owner = pid;
    }
  }
  const total = contenders.reduce((sum, { times, ending }) => sum + (ending === "die" ? 1 : times), 0);
  assert.equal(lines.filter((line) => line.startsWith("acquire")).length, total);
  assert.equal(readFileSync(join(directory, "count"), "utf8"), String(total));
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.startsWith("lock-")),
    [],
  );
}

/** Makes the lock of an owner with the given name. */
function makeLock(directory: string, owner: string): void {
  mkdirSync(join(directory, "lock"));
  writeFileSync(join(directory, "lock", owner), "");
}

/** Takes the lock in one process, and returns the name of the lock's file after that process was killed. */
async function ownerThatDied(directory: string): Promise<string> {
  const { child, line, ended } = start("hold", directory);
  const owner = await line;
  child.kill("SIGKILL");
  await ended;
  return owner;
}

describe("the lock of set-up", () => {
  afterEach(() => {
    for (const child of children) child.kill("SIGKILL");
    children.clear();
  });

  const repeat = <Item>(count: number, item: Item) => Array.from({ length: count }, () => item);

  it("has one owner at a time, with any number of processes", async () => {
    await withDirectory((directory) => contend(directory, repeat(8, { times: 12, ending: "release" })));
  });

  it("passes from each killed owner to one process, even if all processes notice at the same time", async () => {
    await withDirectory((directory) =>
      contend(directory, [
        ...repeat(5, { times: 12, ending: "release" } as const),
        ...repeat(5, { times: 1, ending: "die" } as const),
      ]),
    );
  });

  it("is taken over by one process when several find the same dead owner", async () => {
    for (let round = 0; round < 3; round++) {
      await withDirectory(async (directory) => {
        await ownerThatDied(directory);
        await contend(directory, repeat(6, { times: 1, ending: "release" }));
      });
    }
  });

  const unowned: readonly (readonly [what: string, make: (directory: string) => void])[] = [
    ["an empty folder", (directory) => mkdirSync(join(directory, "lock"))],
    ["an empty file", (directory) => writeFileSync(join(directory, "lock"), "")],
    ["a file with a part of a pid", (directory) => writeFileSync(join(directory, "lock"), "12")],
    ["a folder with a file of another program", (directory) => makeLock(directory, ".DS_Store")],
    [
      "a folder with a folder of another program",
      (directory) => mkdirSync(join(directory, "lock", "@eaDir"), { recursive: true }),
    ],
    ["a folder with an owner's name that was cut off", (directory) => makeLock(directory, "-")],
  ];
  for (const [what, make] of unowned) {
    it(`is free if its path is ${what}, and then has one owner at a time`, async () => {
      await withDirectory(async (directory) => {
        make(directory);
        await contend(directory, repeat(4, { times: 2, ending: "release" }));
      });
    });
  }

  it("is waited for while its owner lives, and freed when the owner ends", async () => {
    await withDirectory(async (directory) => {
      const first = start("hold", directory);
      const owner = await first.line;
      const second = start("hold", directory);
      const [notice] = await once(second.child.stderr, "data");
      const path = join(directory, "lock", owner);
      const expected = `Another set-up (process ${first.child.pid}) is running: waiting for it. If it is not, delete ${path}\n`;
      assert.equal(notice, expected);
      assert.deepEqual(readdirSync(join(directory, "lock")), [owner]);
      first.child.stdin.end();
      assert.deepEqual(await first.ended, { code: 0, stderr: "" });
      assert.match(await second.line, new RegExp(`^${second.child.pid}-`));
      second.child.stdin.end();
      assert.equal((await second.ended).code, 0);
      assert.deepEqual(readdirSync(directory), []);
    });
  });

  it("is free when another process has the pid of its dead owner", async () => {
    await withDirectory(async (directory) => {
      const holder = start("hold", directory);
      const [pid, startTime, random] = (await holder.line).split("-");
      assert.notEqual(startTime, "unknown");
      // The same pid, but of a process that started at another time.
      renameSync(join(directory, "lock"), join(directory, "kept"));
      makeLock(directory, `${pid}-1${startTime}-${random}`);
      const other = start("hold", directory);
      assert.match(await other.line, new RegExp(`^${other.child.pid}-`));
      for (const { child, ended } of [other, holder]) {
        child.stdin.end();
        assert.deepEqual(await ended, { code: 0, stderr: "" });
      }
    });
  });

  /** An owner that no process of this machine is, by the name of one that has died. */
  async function ownerElsewhere(directory: string): Promise<string> {
    const died = await ownerThatDied(directory);
    const [pid, startTime, place, ...random] = died.split("-");
    assert.match(place ?? "", /^[0-9a-f]{12}$/);
    renameSync(join(directory, "lock"), join(directory, "kept"));
    return [pid, startTime, "0123456789ab", ...random].join("-");
  }

  it("of another machine is waited for, although this one has no such process, until its file is deleted", async () => {
    await withDirectory(async (directory) => {
      const owner = await ownerElsewhere(directory);
      makeLock(directory, owner);
      const { child, line, ended } = start("hold", directory);
      const [notice] = await once(child.stderr, "data");
      assert.match(String(notice), /^Another set-up \(process \d+ on another machine or in another container\)/);
      assert.deepEqual(readdirSync(join(directory, "lock")), [owner]);
      rmSync(join(directory, "lock", owner));
      assert.match(await line, new RegExp(`^${child.pid}-`));
      child.stdin.end();
      assert.equal((await ended).code, 0);
    });
  });

  it("of another machine is free once its time stands still", async () => {
    await withDirectory(async (directory) => {
      makeLock(directory, await ownerElsewhere(directory));
      const { child, line, ended } = start("hold", directory, "20");
      assert.match(await line, new RegExp(`^${child.pid}-`));
      child.stdin.end();
      assert.equal((await ended).code, 0);
    });
  });

  it("deletes the folder of a process that was killed while it acquired the lock", async () => {
    await withDirectory(async (directory) => {
      const owner = await ownerThatDied(directory);
      renameSync(join(directory, "lock"), join(directory, `lock-${owner}`));
      await contend(directory, [{ times: 1, ending: "release" }]);
    });
  });
});
