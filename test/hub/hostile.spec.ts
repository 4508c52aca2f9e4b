import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { HubClient } from "#lib/hub/client.js";
import { readSettings } from "#lib/hub/settings.js";
import { fakeExport, pull, useHub } from "./hub.js";
import { entryOf, gitHash, type Intercept, repositoryOf, sendJson, sha256 } from "./server.js";

const NAME = "org/model";
const CONFIG = '{"model_type":"t5"}';

describe("a hostile hub or repository", () => {
  const hub = useHub();

  /** No file is outside the cache, and none in it is larger than what the hub has stated. */
  function checkFiles(maxBytes: number): void {
    const { home } = hub();
    assert.ok(readdirSync(home).every((name) => name === "hub"));
    const paths = readdirSync(home, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const sizes = paths.map(({ parentPath, name }) => readFileSync(join(parentPath, name)).length);
    assert.ok(sizes.reduce((sum, size) => sum + size, 0) <= maxBytes, sizes.join());
  }

  /** Answers requests whose path contains a text. */
  function answering(part: string, answer: (response: ServerResponse) => void): Intercept {
    return (request, response) => {
      if (!request.url?.includes(part)) return false;
      answer(response);
      return true;
    };
  }

  const escapes = [
    "../evil.safetensors",
    "/tmp/evil.safetensors",
    "a/../../evil.safetensors",
    "..\\evil.safetensors",
    "C:evil.safetensors",
    "./evil.safetensors",
    "evil.bin",
    "",
  ];
  for (const path of escapes) {
    it(`can't name ${JSON.stringify(path)} in the index of the weights`, async () => {
      const index = JSON.stringify({ weight_map: { shared: path } });
      hub().server.add(
        NAME,
        repositoryOf({ "config.json": CONFIG, "model.safetensors.index.json": index, [path]: "x" }),
      );
      await assert.rejects(pull(NAME), {
        code: "ERR_MODEL_CORRUPT",
        message: /weight_map in model\.safetensors\.index\.json/,
      });
      checkFiles(5000);
    });
  }

  it("can't name paths outside in the manifest of an export, or in modules.json", async () => {
    const { server } = hub();
    const manifest = JSON.stringify({ files: { "../../../evil": { bytes: 1, sha256: "0".repeat(64) } } });
    server.add(NAME, repositoryOf({ "manifest.json": manifest, "model.pt": "x", "../../../evil": "x" }));
    await assert.rejects(pull(NAME), { code: "ERR_MODEL_CORRUPT", message: /a file in manifest\.json/ });
    const modules = JSON.stringify([{ path: "../..", type: "sentence_transformers.models.Pooling" }]);
    server.add(NAME, repositoryOf({ "modules.json": modules, "config.json": CONFIG, "model.safetensors": "x" }));
    await assert.rejects(pull(NAME), { code: "ERR_MODEL_CORRUPT", message: /modules\.json/ });
    checkFiles(5000);
  });

  it("can't make a file of the list lead outside: such entries are left out", async () => {
    const { server } = hub();
    const { commit, files, ...rest } = fakeExport(1000);
    const evil = ["../evil", "/evil", "a/../../../../evil"].map((path) => [path, Buffer.from("x")] as const);
    server.add(NAME, { ...rest, commit, files: new Map([...files, ...evil]) });
    await pull(NAME);
    checkFiles(5000);
  });

  const commits: readonly unknown[] = [
    "../../../evil",
    "",
    "0".repeat(39),
    "G".repeat(40),
    5,
    null,
    ["0".repeat(40)],
    undefined,
  ];
  for (const sha of commits) {
    it(`can't call its commit ${JSON.stringify(sha)}`, async () => {
      hub().server.intercept = answering("/revision/", (response) => sendJson(response, { id: NAME, sha }));
      await assert.rejects(pull(NAME), {
        code: "ERR_MODEL_CORRUPT",
        message: /Expected a commit for the hub's answer/,
      });
    });
  }

  const entries: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
    ["a hash that is a path", { oid: "../../../evil" }],
    ["an LFS hash that is a path", { lfs: { oid: "../../../evil", size: 1 } }],
    ["a negative size", { size: -1 }],
    ["no size", { size: null }],
    ["a size beyond all integers", { size: 2 ** 60 }],
    ["a size that is a text", { size: "1" }],
    ["a path that is no text", { path: 5 }],
  ];
  for (const [what, changed] of entries) {
    it(`can't list a file with ${what}`, async () => {
      const { server } = hub();
      server.add(NAME, fakeExport(1000));
      const entry = { ...entryOf("config.json", Buffer.from(CONFIG), false), ...changed };
      server.intercept = answering("/tree/", (response) => sendJson(response, [entry]));
      await assert.rejects(pull(NAME), { code: "ERR_MODEL_CORRUPT", message: /in the hub's list of files/ });
    });
  }

  const answers: readonly (readonly [string, string])[] = [
    ["no JSON", "<html>"],
    ["null", "null"],
    ["a number", "5"],
    ["an unfinished list", '[{"path":'],
    ["a list of null", "[null]"],
    ["a bomb of brackets", "[".repeat(500_000)],
    ["brackets that are closed", `${"[".repeat(500_000)}${"]".repeat(500_000)}`],
  ];
  for (const [what, body] of answers) {
    it(`gets an error for an answer of ${what}`, async () => {
      const { server } = hub();
      server.add(NAME, fakeExport(1000));
      for (const route of ["/revision/", "/tree/"]) {
        server.intercept = answering(route, (response) => response.end(body));
        await assert.rejects(pull(NAME), { code: "ERR_MODEL_CORRUPT" }, route);
      }
      checkFiles(0);
    });
  }

  it("can't send an endless answer, or an endless list", async () => {
    const { server } = hub();
    server.add(NAME, fakeExport(1000));
    const piece = Buffer.alloc(2 ** 20, " ");
    server.intercept = answering("/revision/", (response) => {
      const write = () => {
        while (!response.destroyed && response.write(piece));
      };
      response.on("drain", write);
      write();
    });
    await assert.rejects(pull(NAME), { code: "ERR_MODEL_CORRUPT", message: /at most 33554432 bytes/ });
    server.intercept = answering("/tree/", (response) => {
      response.setHeader("link", `<${server.endpoint}/api/models/org/model/tree/x>; rel="next"`);
      sendJson(response, []);
    });
    await assert.rejects(pull(NAME), { code: "ERR_MODEL_CORRUPT", message: /at most 50 pages/ });
  });

  it("can't send a download by https to http, or anywhere with the token", async () => {
    const { server } = hub();
    const client = new HubClient(
      { ...(await readSettings()), endpoint: "https://hub.invalid" },
      NAME,
      "main",
      undefined,
    );
    await assert.rejects(client.fetch(`${server.endpoint}/api`), { code: "ERR_DOWNLOAD_FAILED", message: /to https/ });
    client.close();
    process.env.HF_TOKEN = "hf_secret";
    server.add(NAME, fakeExport(1000));
    server.intercept = answering("/tree/", (response) => {
      response.setHeader("link", `<${server.storage}/next>; rel="next"`);
      sendJson(response, []);
    });
    await assert.rejects(pull(NAME));
    const next = server.requests.filter(({ path }) => path === "/next");
    assert.deepEqual(
      next.map(({ authorization }) => authorization),
      [undefined],
    );
  });

  it("can't send other contents than its hashes state, also in a file of git", async () => {
    const { server } = hub();
    const repository = server.add(NAME, fakeExport());
    for (const [path, content] of repository.files) {
      if (path === "README.md") continue;
      rmSync(hub().cache, { recursive: true, force: true });
      const wrong = Buffer.from(content);
      wrong[wrong.length - 1] = ~(wrong.at(-1) ?? 0) & 255;
      server.intercept = (request, response) => {
        if (!request.url?.endsWith(path) && request.url !== `/${sha256(content)}`) return false;
        response.end(wrong);
        return true;
      };
      const hash = path === "model.pt" ? sha256(content) : gitHash(content);
      const message = new RegExp(`${hash.slice(0, 12)}… for the downloaded ${path}`);
      await assert.rejects(pull(NAME), { code: "ERR_MODEL_CORRUPT", message });
    }
    // Nothing is left of them.
    const blobs = readdirSync(join(hub().cache, "models--org--model", "blobs"));
    assert.deepEqual(
      blobs.filter((name) => name.endsWith("incomplete")),
      [],
    );
  });

  it("can't send more, or state another size, than its list", async () => {
    const { server } = hub();
    const repository = server.add(NAME, fakeExport());
    const content = repository.files.get("model.pt") ?? Buffer.of();
    const piece = Buffer.alloc(2 ** 20);
    const wrong: readonly ((response: ServerResponse) => void)[] = [
      (response) =>
        response.writeHead(200, { "content-length": content.length + 1 }).end(Buffer.concat([content, Buffer.of(0)])),
      (response) => response.writeHead(200, { "content-length": 10 }).end("0123456789"),
      (response) => response.writeHead(206, { "content-range": `bytes 5-9/${content.length}` }).end("01234"),
      (response) => response.writeHead(206).end(content),
      (response) => {
        const write = () => {
          while (!response.destroyed && response.write(piece));
        };
        response.on("drain", write);
        write();
      },
    ];
    for (const answer of wrong) {
      server.intercept = answering(sha256(content), answer);
      await assert.rejects(pull(NAME), {
        code: "ERR_MODEL_CORRUPT",
        message: /Expected 3000000 bytes, as the hub's list/,
      });
      checkFiles(content.length + 5000);
    }
  });

  it("can't have a file downloaded that is larger than the disk", async () => {
    const { server } = hub();
    const files = { "config.json": Buffer.from(CONFIG), "model.safetensors": Buffer.from("x") };
    server.add(NAME, repositoryOf(files));
    server.intercept = answering("/tree/", (response) =>
      sendJson(
        response,
        Object.entries(files).map(([path, content]) => {
          const entry = entryOf(path, content, path === "model.safetensors");
          return path === "config.json" ? entry : { ...entry, lfs: { oid: sha256(content), size: 2 ** 52 } };
        }),
      ),
    );
    await assert.rejects(pull(NAME), {
      code: "ERR_DOWNLOAD_FAILED",
      message: /Expected 4503599627370\d+ bytes of free space/,
    });
    assert.deepEqual(server.downloads(), []);
  });

  it("can't make a file that names others too large", async () => {
    const { server } = hub();
    const index = Buffer.from("{}");
    server.add(NAME, repositoryOf({ "config.json": CONFIG, "model.safetensors.index.json": index }));
    server.intercept = answering("/tree/", (response) =>
      sendJson(response, [
        entryOf("config.json", Buffer.from(CONFIG), false),
        { ...entryOf("model.safetensors.index.json", index, false), size: 2 ** 30 },
      ]),
    );
    await assert.rejects(pull(NAME), {
      code: "ERR_MODEL_CORRUPT",
      message: /at most 33554432 bytes for model\.safetensors\.index/,
    });
    assert.deepEqual(server.downloads(), []);
  });

  it("can't redirect in a circle, nor to another protocol", async () => {
    const { server } = hub();
    server.add(NAME, fakeExport(1000));
    for (const [location, message] of [
      ["/api/models/org/model/revision/main", /at most 10 redirects/],
      ["file:///etc/passwd", /a redirect of \S+ to https but received another/],
      ["data:text/plain,x", /to https but received another/],
      ["http://[", /to https but received another/],
    ] as const) {
      server.requests.length = 0;
      server.intercept = answering("/revision/", (response) => response.writeHead(302, { location }).end());
      await assert.rejects(pull(NAME), { code: "ERR_DOWNLOAD_FAILED", message });
      assert.ok(server.requests.length <= 11);
    }
  });

  it("can't keep a download waiting: for an answer, in one, or with single bytes", async () => {
    const { server } = hub();
    const repository = server.add(NAME, fakeExport());
    const content = repository.files.get("model.pt") ?? Buffer.of();
    const settings = { responseTimeoutMs: 50, downloadTimeoutMs: 50 };
    const code = "ERR_DOWNLOAD_FAILED";
    server.intercept = answering(sha256(content), () => {});
    await assert.rejects(pull(NAME, {}, settings), { code, message: /an answer of \S+ in 0\.05 s but received none/ });
    const timers = new Set<NodeJS.Timeout>();
    for (const trickles of [false, true]) {
      server.intercept = answering(sha256(content), (response) => {
        response.writeHead(200, { "content-length": content.length });
        response.write(content.subarray(0, 1));
        if (trickles) timers.add(setInterval(() => response.write("x"), 5));
      });
      const patient = { responseTimeoutMs: 10_000, downloadTimeoutMs: 50 };
      await assert.rejects(pull(NAME, {}, patient), {
        code,
        message: /at least 52 bytes of model\.pt from \S+ in 0\.05 s/,
      });
    }
    for (const timer of timers) clearInterval(timer);
  });

  it("can't be written to through a link that leads out of the cache", async () => {
    const { server, home, cache } = hub();
    const repository = server.add(NAME, fakeExport(1000));
    const outside = join(home, "outside");
    const folder = join(cache, "models--org--model");
    const message = /Expected a folder inside the cache for .* but received a link to/;
    for (const part of ["", "blobs", "snapshots", join("snapshots", repository.commit), "trees", "refs"]) {
      rmSync(cache, { recursive: true, force: true });
      mkdirSync(outside, { recursive: true });
      mkdirSync(join(folder, part, ".."), { recursive: true });
      symlinkSync(outside, join(folder, part), "dir");
      await assert.rejects(pull(NAME), { code: "ERR_DOWNLOAD_FAILED", message }, part);
      assert.deepEqual(readdirSync(outside), [], part);
      rmSync(outside, { recursive: true });
    }
  });

  it("doesn't write through links in the place of files, and replaces them", async () => {
    const { server, home, cache } = hub();
    const repository = server.add(NAME, fakeExport(1000));
    const content = repository.files.get("model.pt") ?? Buffer.of();
    const blob = join(cache, "models--org--model", "blobs", sha256(content));
    const victim = join(home, "victim");
    writeFileSync(victim, "untouched");
    mkdirSync(join(blob, ".."), { recursive: true });
    symlinkSync(victim, blob);
    const directory = await pull(NAME);
    assert.ok(readFileSync(join(directory, "model.pt")).equals(content));
    rmSync(blob);
    symlinkSync(victim, `${blob}.torch-t5.incomplete`);
    await assert.rejects(pull(NAME), { code: "ERR_DOWNLOAD_FAILED", message: /ELOOP/ });
    const pointer = join(directory, "config.json");
    rmSync(`${blob}.torch-t5.incomplete`);
    rmSync(pointer);
    symlinkSync(victim, pointer);
    await pull(NAME);
    assert.equal(readFileSync(pointer, "utf8"), CONFIG);
    assert.equal(readFileSync(victim, "utf8"), "untouched");
    rmSync(victim);
  });
});
