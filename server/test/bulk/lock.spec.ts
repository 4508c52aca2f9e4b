import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { withDirectory } from "../../../test/support/directory.js";
import { lockFiles } from "../../src/bulk/lock.js";

const IN_USE = { code: "ERR_INVALID_ARGUMENT", message: /^Expected a file that no other enqueue writes / };

/** Leaves a lock with the properties of an owner changed. */
async function leave(path: string, changes: Readonly<Record<string, unknown>>): Promise<void> {
  const lock = await lockFiles([path]);
  const [name = ""] = readdirSync(`${path}.lock`);
  const owner: unknown = JSON.parse(readFileSync(join(`${path}.lock`, name), "utf8"));
  await lock.release();
  mkdirSync(`${path}.lock`);
  writeFileSync(join(`${path}.lock`, "other"), JSON.stringify({ ...(owner as object), ...changes }));
}

describe("the lock of an output", () => {
  it("has one owner, and leaves nothing", () =>
    withDirectory(async (directory) => {
      const paths = ["a", "b"].map((name) => join(directory, name));
      const lock = await lockFiles(paths);
      await assert.rejects(lockFiles([join(directory, "b")]), IN_USE);
      await assert.rejects(lockFiles([join(directory, "c"), join(directory, "a")]), IN_USE);
      assert.ok(!existsSync(join(directory, "c.lock"))); // what it had is free again
      await lock.release();
      assert.deepEqual(readdirSync(directory), []);
      await (await lockFiles(paths)).release();
    }));

  it("is that of the file behind a link", () =>
    withDirectory(async (directory) => {
      writeFileSync(join(directory, "file"), "");
      symlinkSync(join(directory, "file"), join(directory, "link"));
      const lock = await lockFiles([join(directory, "link")]);
      await assert.rejects(lockFiles([join(directory, "file")]), IN_USE);
      await lock.release();
    }));

  it("of a process that has ended is taken by one of many", () =>
    withDirectory(async (directory) => {
      const path = join(directory, "out");
      const child = spawn(process.execPath, ["--version"], { stdio: "ignore" });
      await once(child, "close");
      await leave(path, { pid: child.pid });
      const results = await Promise.allSettled(Array.from({ length: 20 }, () => lockFiles([path])));
      const locks = results.filter((result) => result.status === "fulfilled");
      assert.equal(locks.length, 1);
      await locks[0]?.value.release();
      assert.deepEqual(readdirSync(directory), []);
    }));

  it("of a process whose id another one has got is free", () =>
    withDirectory(async (directory) => {
      const path = join(directory, "out");
      await leave(path, { started: "long ago" });
      await (await lockFiles([path])).release();
    }));

  it("of another host or container is free once its owner has not written it for a while", () =>
    withDirectory(async (directory) => {
      const path = join(directory, "out");
      const file = join(`${path}.lock`, "other");
      await leave(path, { host: "elsewhere", pid: 1 });
      await assert.rejects(lockFiles([path]), {
        message: /process 1 on elsewhere has .* free 60 seconds after .*out\.lock$/,
      });
      writeFileSync(file, "{");
      await assert.rejects(lockFiles([path]), { message: /an unknown process has the lock/ });
      writeFileSync(`${path}-file.lock`, ""); // a file in place of the folder
      await assert.rejects(lockFiles([`${path}-file`]), IN_USE);

      const longAgo = new Date(Date.now() - 120_000);
      await leave(`${path}-2`, { namespace: "pid:[1]" });
      for (const old of [file, join(`${path}-2.lock`, "other")]) utimesSync(old, longAgo, longAgo);
      await (await lockFiles([path, `${path}-2`])).release();
    }));

  it("is written by its owner again and again, who finds out that another one has taken it", () =>
    withDirectory(async (directory) => {
      const path = join(directory, "out");
      const lock = await lockFiles([path], 1);
      const [name = ""] = readdirSync(`${path}.lock`);
      const file = join(`${path}.lock`, name);
      const longAgo = new Date(Date.now() - 120_000);
      utimesSync(file, longAgo, longAgo);
      while (statSync(file).mtimeMs === longAgo.getTime()) await setTimeout(1);
      await lock.check();
      rmSync(`${path}.lock`, { recursive: true });
      await leave(path, { pid: 77 });
      await assert.rejects(lock.check(), { message: /process 77 on / });
      await lock.release();
      assert.deepEqual(readdirSync(`${path}.lock`), ["other"]); // which is not its own
    }));

  it("is refused where it can't be made", () =>
    withDirectory(async (directory) => {
      const code = "ERR_INVALID_ARGUMENT";
      await assert.rejects(lockFiles([join(directory, "nowhere", "out")]), { code, message: /ENOENT/ });
      writeFileSync(join(directory, "file"), "");
      await assert.rejects(lockFiles([join(directory, "file", "out")]), { code, message: /ENOTDIR/ });
    }));
});
