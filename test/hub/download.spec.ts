import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import {
  cachedModels,
  type DownloadProgress,
  deleteCachedModel,
  demoModel,
  downloadModel,
  T5EncoderModel,
  T5ForConditionalGeneration,
  T5Tokenizer,
} from "torch-t5";
import { withLock } from "#lib/hub/lock.js";
import { withDirectory } from "../support/directory.js";
import { OUTPUTS, sentenceFiles } from "../support/sentences.js";
import { fakeExport, type Hub, pull, useHub } from "./hub.js";
import { filesOf, gitHash, type Repository, refuse, repositoryOf, sha256 } from "./server.js";

const NAME = "org/model";
/** A user id without rights, on Linux that of `nobody`. */
const NOBODY = 65534;
const puller = fileURLToPath(new URL("programs/pull.mjs", import.meta.url));

/** The paths of the blobs, of which one is a download that was interrupted. */
const blobs = ({ cache }: Hub) => readdirSync(join(cache, "models--org--model", "blobs")).sort();

function contentOf(repository: Repository, path: string): Buffer {
  const content = repository.files.get(path);
  assert.ok(content);
  return content;
}

/** Whether a request is for the content of the archive. */
const isForArchive = (repository: Repository, path: string | undefined) =>
  path === `/${sha256(contentOf(repository, "model.pt"))}`;

/** Every file of a snapshot is that of the repository. */
function checkSnapshot(directory: string, repository: Repository, paths: readonly string[]): void {
  assert.deepEqual(readdirSync(directory).sort(), [...paths].sort());
  for (const path of paths) {
    assert.ok(readFileSync(join(directory, path)).equals(contentOf(repository, path)), path);
  }
}

const EXPORTED = ["config.json", "manifest.json", "model.pt"];

describe("fromPretrained with a name on the hub", () => {
  const hub = useHub();

  it("downloads the model, which answers as the local directory, and later loads it from the cache", async () => {
    const { server } = hub();
    server.add("org/demo", repositoryOf(filesOf(demoModel)));
    const events: DownloadProgress[] = [];
    const options = { device: "cpu", precision: "float32" } as const;
    const progress = (event: DownloadProgress) => events.push(event);
    await using t5 = await T5ForConditionalGeneration.fromPretrained("org/demo", { ...options, progress });
    await using local = await T5ForConditionalGeneration.fromPretrained(demoModel, options);
    const [found, expected] = await Promise.all([t5, local].map((model) => model.forward("spell number: 48213")));
    assert.deepEqual(found?.logits.data, expected?.logits.data);

    const last = events.at(-1);
    assert.deepEqual(last?.overall, { loadedBytes: last?.overall.totalBytes, totalBytes: last?.overall.totalBytes });
    assert.ok(events.every(({ loadedBytes, totalBytes }) => loadedBytes <= totalBytes));
    assert.deepEqual(
      new Set(server.downloads()),
      new Set([...Object.keys(filesOf(demoModel))].filter((name) => name !== "README.md")),
    );

    server.requests.length = 0;
    events.length = 0;
    await using encoder = await T5EncoderModel.fromPretrained("org/demo", { ...options, progress });
    assert.equal(encoder.config.dModel, t5.config.dModel);
    assert.deepEqual([server.requests.length, events], [1, []]);
  });

  it("downloads only the tokenizer for T5Tokenizer.fromPretrained", async () => {
    const { server } = hub();
    server.add("demo", repositoryOf(filesOf(demoModel)));
    const tokenizer = await T5Tokenizer.fromPretrained("demo");
    assert.deepEqual(tokenizer.encode("a"), (await T5Tokenizer.fromPretrained(demoModel)).encode("a"));
    assert.deepEqual(server.downloads(), ["tokenizer.json", "tokenizer_config.json"]);
    await assert.rejects(downloadModel("demo", { localFilesOnly: true }), {
      code: "ERR_MODEL_NOT_FOUND",
      message: /as localFilesOnly is true, but found it without manifest\.json$/,
    });
  });

  it("loads as sentence-transformers loads the name, with its modules and no other files", async () => {
    const { server } = hub();
    const files = { ...Object.fromEntries(sentenceFiles()), "onnx/model.onnx": "x", "2_Dense/pytorch_model.bin": "x" };
    // The name decides whether prompts are pooled, as its files do not state it.
    for (const [name, includePrompt] of [
      ["hkunlp/instructor-base", false],
      ["org/instructor-base", true],
    ] as const) {
      server.add(name, repositoryOf(files));
      await using model = await T5EncoderModel.fromPretrained(name, { device: "cpu", intraOpThreads: 1 });
      assert.equal(model.embeddingConfig?.includePrompt, includePrompt);
      assert.deepEqual((await model.embed({ inputIds: [[3, 4, 1]] })).shape, [1, OUTPUTS]);
    }
    assert.deepEqual(
      server.requests.filter(({ path }) => /onnx|pytorch_model/.test(path)),
      [],
    );
  });

  it("has the stack of the caller, and no details of requests, in its errors", async () => {
    async function caller(): Promise<unknown> {
      return T5ForConditionalGeneration.fromPretrained("org/none");
    }
    const error: unknown = await caller().catch((thrown: unknown) => thrown);
    assert.ok(error instanceof Error);
    assert.match(error.stack ?? "", /at (async )?caller /);
    assert.deepEqual(Object.keys(error), ["code"]);
  });

  it("rejects with the signal's reason at once, before and while it downloads or loads", async () => {
    const { server } = hub();
    server.add("org/demo", repositoryOf(filesOf(demoModel)));
    const reason = new Error("enough");
    const controller = new AbortController();
    const load = (signal: AbortSignal) => T5ForConditionalGeneration.fromPretrained("org/demo", { signal });
    await assert.rejects(load(AbortSignal.abort(reason)), reason);
    assert.equal(server.requests.length, 0);
    // An answer that never comes.
    server.intercept = () => {
      controller.abort(reason);
      return true;
    };
    await assert.rejects(load(controller.signal), reason);
    server.intercept = () => false;
    await downloadModel("org/demo");
    const loading = new AbortController();
    const pending = load(loading.signal);
    // After the one request of a model in the cache.
    server.intercept = () => {
      setImmediate(() => loading.abort(reason));
      return false;
    };
    await assert.rejects(pending, reason);
    // A signal of another realm, or a polyfill.
    const { signal } = new AbortController();
    const foreign = {
      aborted: false,
      reason,
      addEventListener: signal.addEventListener.bind(signal),
      removeEventListener: signal.removeEventListener.bind(signal),
    };
    assert.equal(typeof (await downloadModel("org/demo", { signal: foreign as unknown as AbortSignal })), "string");
    const aborted = { ...foreign, aborted: true } as unknown as AbortSignal;
    await assert.rejects(downloadModel("org/demo", { signal: aborted }), reason);
    await assert.rejects(
      T5ForConditionalGeneration.fromPretrained(demoModel, { signal: AbortSignal.abort(reason) }),
      reason,
    );
  });
});

describe("a download", () => {
  const hub = useHub();

  it("writes the cache as huggingface_hub does", async () => {
    const { server, cache } = hub();
    const repository = server.add(NAME, fakeExport());
    const directory = await pull(NAME);
    const folder = join(cache, "models--org--model");
    assert.equal(directory, join(folder, "snapshots", repository.commit));
    checkSnapshot(directory, repository, EXPORTED);
    const names = [
      sha256(contentOf(repository, "model.pt")),
      ...["config.json", "manifest.json"].map((path) => gitHash(contentOf(repository, path))),
    ];
    assert.deepEqual(blobs(hub()), names.sort());
    assert.equal(readFileSync(join(folder, "refs", "main"), "utf8"), repository.commit);
    assert.equal(
      readlinkSync(join(directory, "model.pt")),
      join("..", "..", "blobs", names.find((name) => name.length === 64) ?? ""),
    );
    assert.deepEqual(readdirSync(join(cache, ".locks", "models--org--model")), []);
  });

  it("takes a branch, a tag or a commit, and the new commit of a branch that has moved", async () => {
    const { server, cache } = hub();
    const old = server.add(NAME, fakeExport(1000, ["main", "v1.0", "refs/pr/1"]));
    for (const revision of ["v1.0", "refs/pr/1", old.commit]) {
      assert.ok((await pull(NAME, { revision })).endsWith(old.commit));
    }
    const moved = server.add(NAME, fakeExport(2000));
    assert.ok((await pull(NAME)).endsWith(moved.commit));
    assert.deepEqual(
      readdirSync(join(cache, "models--org--model", "snapshots")).sort(),
      [old.commit, moved.commit].sort(),
    );
    server.requests.length = 0;
    assert.ok((await pull(NAME, { revision: old.commit })).endsWith(old.commit));
    assert.equal(server.requests.length, 0);
  });

  it("lists a repository of several pages", async () => {
    const { server } = hub();
    server.pageSize = 1;
    const repository = server.add(NAME, fakeExport(1000));
    checkSnapshot(await pull(NAME), repository, EXPORTED);
    assert.equal(server.requests.filter(({ path }) => path.includes("/tree/")).length, repository.files.size);
  });

  it("sends the token of HF_TOKEN, or of the file in HF_HOME, to the hub and to no other server", async () => {
    const { server, home } = hub();
    const repository = server.add(NAME, fakeExport(1000));
    writeFileSync(join(home, "token"), "hf_of_the_file\n");
    for (const [token, variables] of [
      ["Bearer hf_of_the_file", {}],
      ["Bearer any-token", { HF_TOKEN: "any-token" }],
      [undefined, { HF_TOKEN: "", HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }],
    ] as const) {
      Object.assign(process.env, variables);
      server.requests.length = 0;
      await pull(NAME);
      await deleteCachedModel(NAME);
      const isStorage = (path: string) => isForArchive(repository, path);
      assert.ok(server.requests.some(({ path }) => isStorage(path)));
      for (const { path, authorization } of server.requests) {
        assert.equal(authorization, isStorage(path) ? undefined : token, path);
      }
    }
  });

  it("continues where a broken connection ended, as long as it makes progress", async () => {
    const { server } = hub();
    const repository = server.add(NAME, fakeExport());
    const content = contentOf(repository, "model.pt");
    let broken = 0;
    server.intercept = (request, response) => {
      if (!isForArchive(repository, request.url) || broken === 2) return false;
      broken++;
      const begin = Number(/\d+/.exec(request.headers.range ?? "")?.[0] ?? 0);
      if (begin > 0)
        response.writeHead(206, { "content-range": `bytes ${begin}-${content.length - 1}/${content.length}` });
      response.write(content.subarray(begin, begin + 1_000_000), () => response.destroy());
      return true;
    };
    checkSnapshot(await pull(NAME), repository, EXPORTED);
    const ranges = server.requests.filter(({ path }) => isForArchive(repository, path)).map(({ range }) => range);
    assert.equal(ranges.length, 3);
    assert.equal(ranges[0], undefined);
    const begins = ranges.slice(1).map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1]));
    assert.ok(
      begins.every((begin, index) => begin > (begins[index - 1] ?? 0)),
      begins.join(),
    );
  });

  it("begins again where the server has no ranges, or what an earlier download left is damaged", async () => {
    const { server, cache } = hub();
    const repository = server.add(NAME, fakeExport());
    const content = contentOf(repository, "model.pt");
    const leave = (part: Buffer) => {
      const name = `${sha256(content)}.torch-t5.incomplete`;
      writeFileSync(join(cache, "models--org--model", "blobs", name), part);
    };
    await pull(NAME);
    for (const [part, hasRanges] of [
      [content.subarray(0, 1_000_000), false],
      [Buffer.alloc(1_000_000), true],
      [Buffer.alloc(content.length), true],
      [Buffer.alloc(content.length + 1), true],
    ] as const) {
      truncateSync(join(cache, "models--org--model", "blobs", sha256(content)), 0);
      leave(part);
      server.intercept = (request, response) => {
        if (hasRanges || !isForArchive(repository, request.url)) return false;
        response.end(content);
        return true;
      };
      checkSnapshot(await pull(NAME), repository, EXPORTED);
    }
    assert.equal(blobs(hub()).length, 3);
  });

  it("repeats requests that fail for the moment, waiting as long as the hub asks", async () => {
    const { server } = hub();
    const repository = server.add(NAME, fakeExport(1000));
    const failed = new Set<string>();
    server.intercept = (request, response) => {
      const { url = "" } = request;
      if (failed.has(url)) return false;
      failed.add(url);
      if (failed.size % 2 === 0) request.socket.destroy();
      else response.writeHead(failed.size % 3 === 0 ? 429 : 503, { "retry-after": "0" }).end();
      return true;
    };
    checkSnapshot(await pull(NAME), repository, EXPORTED);
    assert.ok(failed.size >= 6);
  });

  it("gives up after five failures without progress, with ERR_DOWNLOAD_FAILED", async () => {
    const { server } = hub();
    const repository = server.add(NAME, fakeExport());
    let requests = 0;
    server.intercept = (request, response) => {
      if (!isForArchive(repository, request.url)) return false;
      requests++;
      response.write("x".repeat(10), () => response.destroy());
      return true;
    };
    await assert.rejects(pull(NAME), { code: "ERR_DOWNLOAD_FAILED", message: /^Expected / });
    assert.equal(requests, 5);
  });

  it("passes on what progress throws, and keeps what was downloaded", async () => {
    const { server } = hub();
    const repository = server.add(NAME, fakeExport());
    const reason = new Error("of the caller");
    const progress = ({ file, loadedBytes }: DownloadProgress) => {
      if (file === "model.pt" && loadedBytes > 1_000_000) throw reason;
    };
    await assert.rejects(downloadModel(NAME, { progress }), (thrown) => thrown === reason);
    server.requests.length = 0;
    let first: DownloadProgress | undefined;
    const directory = await downloadModel(NAME, {
      progress(event) {
        first ??= event;
      },
    });
    checkSnapshot(directory, repository, EXPORTED);
    assert.ok(first !== undefined && first.file === "model.pt" && first.loadedBytes > 1_000_000);
    assert.equal(first.overall.loadedBytes, first.loadedBytes);
    assert.deepEqual(server.downloads(), ["model.pt", "config.json"]);
  });

  it("ends at an abort while it downloads, and continues later", async () => {
    const { server } = hub();
    const repository = server.add(NAME, fakeExport());
    const content = contentOf(repository, "model.pt");
    const controller = new AbortController();
    const reason = new Error("enough");
    server.intercept = (request, response) => {
      if (!isForArchive(repository, request.url)) return false;
      // The rest never comes.
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 2_000_000));
      return true;
    };
    const progress = ({ loadedBytes }: DownloadProgress) => {
      if (loadedBytes === 2_000_000) controller.abort(reason);
    };
    await assert.rejects(pull(NAME, { signal: controller.signal, progress }), (thrown) => thrown === reason);
    server.intercept = () => false;
    server.requests.length = 0;
    checkSnapshot(await pull(NAME), repository, EXPORTED);
    const [request] = server.requests.filter(({ path }) => isForArchive(repository, path));
    assert.equal(request?.range, "bytes=2000000-");
  });

  it("continues what a process left that was killed", async () => {
    const { server } = hub();
    const repository = server.add(NAME, fakeExport());
    const content = contentOf(repository, "model.pt");
    let sent = () => {};
    const halfway = new Promise<void>((resolve) => {
      sent = resolve;
    });
    server.intercept = (request, response) => {
      if (!isForArchive(repository, request.url)) return false;
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 2_000_000), () => sent());
      return true;
    };
    const child = spawn(execPath, [puller, NAME, "2000000"], { stdio: ["ignore", "pipe", "inherit"] });
    await halfway;
    // It prints a line when it has written the bytes.
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "close");
    server.intercept = () => false;
    server.requests.length = 0;
    checkSnapshot(await pull(NAME), repository, EXPORTED);
    const [request] = server.requests.filter(({ path }) => isForArchive(repository, path));
    assert.equal(request?.range, "bytes=2000000-");
  });

  it("downloads each file once for several processes, and several calls of one, at the same time", async () => {
    const { server } = hub();
    const repository = server.add(NAME, fakeExport());
    const run = async () => {
      const child = spawn(execPath, [puller, NAME], { stdio: ["ignore", "pipe", "inherit"] });
      const [output, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
      assert.equal(code, 0);
      return output.trim();
    };
    const directories = await Promise.all([run(), run(), run(), pull(NAME), pull(NAME)]);
    for (const directory of new Set(directories)) checkSnapshot(directory, repository, EXPORTED);
    assert.equal(new Set(directories).size, 1);
    assert.deepEqual([...server.downloads()].sort(), EXPORTED);
    assert.equal(blobs(hub()).length, 3);
  });

  it("is continued by a process that waits for it when the one that downloads is killed", async () => {
    const { server, cache } = hub();
    const repository = server.add(NAME, fakeExport());
    const content = contentOf(repository, "model.pt");
    let isSecondThere = () => {};
    const second = new Promise<void>((resolve) => {
      isSecondThere = resolve;
    });
    let archiveRequests = 0;
    let revisionRequests = 0;
    server.intercept = (request, response) => {
      if (/\/revision\//.test(request.url ?? "") && ++revisionRequests === 2) isSecondThere();
      if (!isForArchive(repository, request.url) || ++archiveRequests > 1) return false;
      // The rest never comes.
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 2_000_000));
      return true;
    };
    const killed = spawn(execPath, [puller, NAME, "2000000"], { stdio: ["ignore", "pipe", "inherit"] });
    // It prints a line when it has written the bytes.
    await once(killed.stdout, "data");
    const waiting = spawn(execPath, [puller, NAME], { stdio: ["ignore", "pipe", "inherit"] });
    const output = text(waiting.stdout);
    const ended = once(waiting, "close");
    await second;
    killed.kill("SIGKILL");
    await once(killed, "close");
    assert.equal(killed.signalCode, "SIGKILL");
    assert.deepEqual(await ended, [0, null]);
    checkSnapshot((await output).trim(), repository, EXPORTED);
    const ranges = server.requests.filter(({ path }) => isForArchive(repository, path)).map(({ range }) => range);
    assert.deepEqual(ranges, [undefined, "bytes=2000000-"]);
    assert.equal(blobs(hub()).length, 3);
    assert.deepEqual(readdirSync(join(cache, ".locks", "models--org--model")), []);

    server.requests.length = 0;
    assert.equal(await pull(NAME), (await output).trim());
    assert.equal(server.requests.length, 1);
  });

  it("takes over a lock whose process has ended", async () => {
    const { server, cache } = hub();
    const repository = server.add(NAME, fakeExport(1000));
    const ended = spawn(execPath, ["-e", ""]);
    await once(ended, "close");
    await pull(NAME);
    const blob = sha256(contentOf(repository, "model.pt"));
    const place = readFileSync(await lockDuring(hub(), repository), "utf8").split(" ")[0];
    writeFileSync(join(cache, ".locks", "models--org--model", `${blob}.torch-t5.lock`), `${place} ${ended.pid} x`);
    truncateSync(join(cache, "models--org--model", "blobs", blob), 0);
    checkSnapshot(await pull(NAME), repository, EXPORTED);
  });
});

/** Runs `use` while no file below a folder can be made or deleted. Root, who may do everything, becomes another user. */
async function withReadOnly(folder: string, use: () => Promise<void>): Promise<void> {
  const folders = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
  for (const path of [folder, ...folders]) chmodSync(path, 0o555);
  const isRoot = process.geteuid?.() === 0;
  try {
    if (isRoot) process.seteuid?.(NOBODY);
    await use();
  } finally {
    if (isRoot) process.seteuid?.(0);
    for (const path of [folder, ...folders]) chmodSync(path, 0o755);
  }
}

/** The path of a copy of the lock of the archive, while it is downloaded. */
async function lockDuring({ server, cache, home }: Hub, repository: Repository): Promise<string> {
  const blob = sha256(contentOf(repository, "model.pt"));
  const copy = join(home, "lock");
  truncateSync(join(cache, "models--org--model", "blobs", blob), 0);
  server.intercept = (request) => {
    if (isForArchive(repository, request.url)) {
      writeFileSync(copy, readFileSync(join(cache, ".locks", "models--org--model", `${blob}.torch-t5.lock`)));
    }
    return false;
  };
  await pull(NAME);
  server.intercept = () => false;
  return copy;
}

describe("the lock of a download", () => {
  it("is waited for while its time is renewed, and free once that stands still", async () => {
    await withDirectory(async (directory) => {
      const path = join(directory, "lock");
      writeFileSync(path, "another-machine 1 x");
      let renewals = 0;
      let polls = 0;
      const sleep = async () => {
        polls++;
        // Each time is new, whatever the resolution of the file system's clock is.
        if (polls % 200 === 0 && renewals < 3) utimesSync(path, 1000 + renewals, 1000 + renewals++);
      };
      assert.equal(await withLock(path, sleep, async () => readFileSync(path, "utf8").split(" ").length), 3);
      assert.ok(renewals === 3 && polls > 600 + 200, `${renewals} ${polls}`);
      assert.deepEqual(readdirSync(directory), []);
    });
  });

  it("ends the waiting where the caller does, and is freed after an error", async () => {
    await withDirectory(async (directory) => {
      const path = join(directory, "lock");
      const reason = new Error("enough");
      writeFileSync(path, "another-machine 1 x");
      await assert.rejects(
        withLock(
          path,
          () => Promise.reject(reason),
          async () => {},
        ),
        reason,
      );
      assert.deepEqual(readdirSync(directory), ["lock"]);
      rmSync(path);
      await assert.rejects(
        withLock(
          path,
          async () => {},
          () => Promise.reject(reason),
        ),
        reason,
      );
      assert.deepEqual(readdirSync(directory), []);
    });
  });
});

describe("the cache without a hub", () => {
  const hub = useHub();

  it("is used by localFilesOnly and HF_HUB_OFFLINE, without a request", async () => {
    const { server } = hub();
    const repository = server.add(NAME, fakeExport(1000, ["main", "v1.0"]));
    const directory = await pull(NAME);
    server.requests.length = 0;
    assert.equal(await downloadModel(NAME, { localFilesOnly: true }), directory);
    assert.equal(await downloadModel(NAME, { localFilesOnly: true, revision: repository.commit }), directory);
    process.env.HF_HUB_OFFLINE = "yes";
    assert.equal(await downloadModel(NAME), directory);
    await assert.rejects(downloadModel(NAME, { revision: "v1.0" }), {
      code: "ERR_MODEL_NOT_FOUND",
      message: /"org\/model" \(revision "v1\.0"\) in the cache .*, as HF_HUB_OFFLINE is set, but found none$/,
    });
    await assert.rejects(downloadModel("org/other", { localFilesOnly: true }), {
      code: "ERR_MODEL_NOT_FOUND",
      message: /as localFilesOnly is true, but found none$/,
    });
    assert.equal(server.requests.length, 0);
  });

  it("is used while the hub can't be reached, but not for a revision that the hub lacks", async () => {
    const { server } = hub();
    const repository = server.add(NAME, fakeExport(1000));
    const directory = await pull(NAME);
    // The last is that of a network that asks for a login.
    for (const status of [503, 401, 404, 200]) {
      server.intercept = (_, response) => {
        response.writeHead(status).end("<html>");
        return true;
      };
      assert.equal(await pull(NAME), directory);
    }
    server.intercept = (request) => {
      request.socket.destroy();
      return true;
    };
    server.requests.length = 0;
    assert.equal(await pull(NAME), directory);
    assert.equal(server.requests.length, 1);
    server.intercept = () => false;
    server.add(NAME, { ...repository, refs: [] });
    await assert.rejects(pull(NAME), {
      code: "ERR_MODEL_NOT_FOUND",
      message: /a branch, tag or commit of "org\/model"/,
    });
  });

  it("doesn't take an incomplete snapshot for a model", async () => {
    const { server } = hub();
    const repository = server.add(NAME, fakeExport());
    const progress = ({ file }: DownloadProgress) => {
      if (file === "model.pt") throw new Error("enough");
    };
    await assert.rejects(pull(NAME, { progress }));
    const options = { localFilesOnly: true, revision: repository.commit };
    await assert.rejects(pull(NAME, options), {
      code: "ERR_MODEL_NOT_FOUND",
      message: /but found it without model\.pt, config\.json$/,
    });
    await assert.rejects(pull(NAME, { localFilesOnly: true }), { code: "ERR_MODEL_NOT_FOUND" });
  });

  it("lists its models with their sizes, and deletes one", async () => {
    const { server, cache } = hub();
    assert.deepEqual(await cachedModels(), []);
    const repository = server.add(NAME, fakeExport(1000, ["main", "v1.0"]));
    server.add("other", fakeExport(2000));
    await pull(NAME);
    await pull(NAME, { revision: "v1.0" });
    await pull("other");
    const [model, other] = await cachedModels();
    const { bytes, ...rest } = model ?? { bytes: 0 };
    assert.deepEqual(rest, {
      name: NAME,
      revisions: ["main", "v1.0"],
      commits: [repository.commit],
      path: join(cache, "models--org--model"),
    });
    assert.ok(bytes > 1000 && other?.name === "other" && other.bytes > 2000);
    assert.equal(await deleteCachedModel(NAME), bytes);
    assert.deepEqual(
      (await cachedModels()).map(({ name }) => name),
      ["other"],
    );
    assert.ok(
      !existsSync(join(cache, "models--org--model")) && !existsSync(join(cache, ".locks", "models--org--model")),
    );
    await assert.rejects(deleteCachedModel(NAME), { code: "ERR_MODEL_NOT_FOUND" });
    for (const name of ["../other", "", "a/b/c", "..", 5, undefined]) {
      await assert.rejects(deleteCachedModel(name as string), { code: "ERR_INVALID_ARGUMENT" });
    }
    await assert.rejects(cachedModels({ cacheDir: 5 as unknown as string }), { code: "ERR_INVALID_ARGUMENT" });
  });

  it("is where cacheDir says", async () => {
    const { server, home, cache } = hub();
    server.add(NAME, fakeExport(1000));
    const cacheDir = join(home, "elsewhere");
    assert.ok((await downloadModel(NAME, { cacheDir })).startsWith(join(cacheDir, "models--org--model")));
    assert.ok(!existsSync(cache));
    assert.equal((await cachedModels({ cacheDir })).length, 1);
    await deleteCachedModel(NAME, { cacheDir });
    assert.deepEqual(await cachedModels({ cacheDir }), []);
  });
});

describe("an error of the hub", () => {
  const hub = useHub();
  const answers: readonly (readonly [string, number, string | undefined, string | undefined, string, RegExp])[] = [
    [
      "no such model",
      404,
      "RepoNotFound",
      undefined,
      "ERR_MODEL_NOT_FOUND",
      /found neither; set HF_TOKEN if it is private/,
    ],
    [
      "no such model, without a token",
      401,
      "RepoNotFound",
      undefined,
      "ERR_MODEL_NOT_FOUND",
      /found neither; set HF_TOKEN/,
    ],
    ["no such model, with a token", 404, "RepoNotFound", "hf_x", "ERR_MODEL_NOT_FOUND", /HF_TOKEN may have no access/],
    [
      "a gated model",
      401,
      "GatedRepo",
      undefined,
      "ERR_MODEL_ACCESS_DENIED",
      /is gated: accept its conditions at http\S+\/org\/model, and set HF_TOKEN/,
    ],
    [
      "a gated model, with a token",
      403,
      "GatedRepo",
      "hf_x",
      "ERR_MODEL_ACCESS_DENIED",
      /with the account of HF_TOKEN/,
    ],
    ["a wrong token", 401, undefined, "hf_x", "ERR_MODEL_ACCESS_DENIED", /status 401: HF_TOKEN is not accepted/],
    ["a disabled model", 403, "DisabledRepo", undefined, "ERR_MODEL_ACCESS_DENIED", /states "A message of the hub"/],
    ["a broken hub", 500, undefined, undefined, "ERR_DOWNLOAD_FAILED", /status 500/],
    ["a teapot", 418, undefined, undefined, "ERR_DOWNLOAD_FAILED", /status 418/],
  ];
  for (const [what, status, errorCode, token, code, message] of answers) {
    it(`has a code and says what to do: ${what}`, async () => {
      const { server } = hub();
      if (token !== undefined) process.env.HF_TOKEN = token;
      server.intercept = (_, response) => {
        if (errorCode === undefined) response.writeHead(status).end();
        else refuse(response, status, errorCode);
        return true;
      };
      const error: unknown = await pull(NAME).catch((thrown: unknown) => thrown);
      assert.ok(error instanceof Error && "code" in error);
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /hf_x|\n/);
    });
  }

  it("follows the redirect of a model that was renamed", async () => {
    const { server } = hub();
    const repository = server.add("org/new", fakeExport(1000));
    server.intercept = (request, response) => {
      if (!request.url?.includes("org/old")) return false;
      response.writeHead(307, { location: request.url.replace("org/old", "org/new") }).end();
      return true;
    };
    const directory = await pull("org/old");
    checkSnapshot(directory, repository, EXPORTED);
    assert.ok(directory.includes("models--org--old"));
  });

  it("names the host that can't be reached", async () => {
    const { server } = hub();
    const { host } = new URL(server.endpoint);
    server.intercept = (request) => {
      request.socket.destroy();
      return true;
    };
    await assert.rejects(pull(NAME), {
      code: "ERR_DOWNLOAD_FAILED",
      message: new RegExp(`connection with ${host} for "org/model", which is no local directory, but`),
    });
  });

  it("states that the cache can't be written", async () => {
    const { server, home } = hub();
    server.add(NAME, fakeExport(1000));
    writeFileSync(join(home, "hub"), "");
    await assert.rejects(pull(NAME), {
      code: "ERR_DOWNLOAD_FAILED",
      message: /Expected a cache that can be written in/,
    });
  });
});

describe("a cache that can't be written", () => {
  const hub = useHub();

  it("provides a model that it has, also with HF_HUB_CACHE and without the list of its files", async () => {
    const { server, home, cache } = hub();
    server.add("org/demo", repositoryOf(filesOf(demoModel)));
    const options = { device: "cpu", intraOpThreads: 1 } as const;
    const generated = async () => {
      await using t5 = await T5ForConditionalGeneration.fromPretrained("org/demo", options);
      return (await t5.generate("spell number: 7")).texts;
    };
    // The same modules and libraries are open afterwards.
    const expected = await generated();
    server.requests.length = 0;
    await withReadOnly(home, async () => assert.deepEqual(await generated(), expected));
    assert.equal(server.requests.length, 1);

    process.env.HF_HUB_CACHE = cache;
    delete process.env.HF_HOME;
    rmSync(join(cache, "models--org--demo", "trees"), { recursive: true });
    await withReadOnly(home, async () => assert.deepEqual(await generated(), expected));
    process.env.HF_HUB_OFFLINE = "1";
    await withReadOnly(home, async () => assert.deepEqual(await generated(), expected));
  });

  it("is an error where a file of the model is missing, or the branch has moved", async () => {
    const { server, home, cache } = hub();
    const repository = server.add(NAME, fakeExport(1000));
    const blob = sha256(contentOf(repository, "model.pt"));
    const refused = {
      code: "ERR_DOWNLOAD_FAILED",
      message: `Expected a cache that can be written in ${JSON.stringify(cache)} but received EACCES`,
    };
    const directory = await pull(NAME);
    rmSync(join(cache, "models--org--model", "blobs", blob));
    await withReadOnly(home, () => assert.rejects(pull(NAME), refused));
    assert.deepEqual(readdirSync(directory).sort(), EXPORTED);
    checkSnapshot(await pull(NAME), repository, EXPORTED);
    server.add(NAME, fakeExport(2000));
    await withReadOnly(home, () => assert.rejects(pull(NAME), refused));
    rmSync(cache, { recursive: true });
    await withReadOnly(home, () => assert.rejects(pull(NAME), refused));
  });
});

describe("sizes of files in the cache", () => {
  const hub = useHub();

  it("are checked: a truncated blob is downloaded again", async () => {
    const { server, cache } = hub();
    const repository = server.add(NAME, fakeExport());
    const blob = join(cache, "models--org--model", "blobs", sha256(contentOf(repository, "model.pt")));
    const directory = await pull(NAME);
    truncateSync(blob, 1000);
    await pull(NAME);
    assert.equal(statSync(blob).size, 3_000_000);
    checkSnapshot(directory, repository, EXPORTED);
  });

  it("are those of an empty file as well", async () => {
    const { server } = hub();
    const files = fakeExport(0).files;
    const repository = server.add(NAME, repositoryOf(Object.fromEntries(files)));
    checkSnapshot(await pull(NAME), repository, EXPORTED);
    assert.ok(!server.downloads().includes("model.pt"));
  });
});
