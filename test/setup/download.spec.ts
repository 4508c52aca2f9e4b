// The download of a wheel from an index on this machine.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withDirectory } from "../support/directory.js";
import { type Ended, runToEnd } from "../support/program.js";
import { pythonPath } from "../support/python.js";

const program = fileURLToPath(new URL("../../scripts/setup/fetch_wheel.py", import.meta.url));
const NAME = "torch-2.15.0-py3-none-any.whl";
const OTHERS = ["torch-2.14.0-py3-none-any.whl", "torch-2.15.0-cp39-cp39-win_amd64.whl", "torch-2.15.0.tar.gz"];
/** Several of the program's chunks, and no multiple of one. */
const BYTES = Buffer.alloc(5_000_003, "torch wheel ");
const SHA256 = createHash("sha256").update(BYTES).digest("hex");
const FIRST_PART = 2_000_000;

/** How the server of a test differs from one that knows ranges, has JSON, and answers to the end. */
interface Fault {
  readonly html?: boolean;
  readonly withoutRanges?: boolean;
  /** The first answer ends after this many bytes. */
  readonly endsAfter?: number;
  readonly digest?: string;
  readonly status?: number;
}

interface Run extends Ended {
  /** The `Range` of each request for the wheel. */
  readonly ranges: readonly (string | undefined)[];
  readonly files: readonly string[];
}

/** Downloads into `folder` from a server with a fault. */
async function download(folder: string, fault: Fault = {}): Promise<Run> {
  const ranges: (string | undefined)[] = [];
  const index = (response: ServerResponse) => {
    const files = [NAME, ...OTHERS].map((filename) => ({
      filename,
      url: `../../files/${filename}`,
      hashes: { sha256: fault.digest ?? SHA256 },
    }));
    if (fault.html) {
      const links = files.map(({ url, hashes }) => `<a href="${url}#sha256=${hashes.sha256}">x</a>`);
      response.setHeader("Content-Type", "text/html").end(`<!DOCTYPE html><body>${links.join("")}</body>`);
    } else {
      response.setHeader("Content-Type", "application/vnd.pypi.simple.v1+json").end(JSON.stringify({ files }));
    }
  };
  const wheel = (request: IncomingMessage, response: ServerResponse) => {
    const { range } = request.headers;
    ranges.push(range);
    const start = fault.withoutRanges || range === undefined ? 0 : Number(/\d+/.exec(range)?.[0]);
    if (start >= BYTES.length) {
      response.writeHead(416, { "Content-Range": `bytes */${BYTES.length}` }).end();
      return;
    }
    const rest = BYTES.subarray(start);
    response.writeHead(start > 0 ? 206 : 200, {
      "Content-Length": rest.length,
      ...(start > 0 ? { "Content-Range": `bytes ${start}-${BYTES.length - 1}/${BYTES.length}` } : {}),
    });
    if (fault.endsAfter === undefined || ranges.length > 1) response.end(rest);
    else response.write(rest.subarray(0, fault.endsAfter), () => response.destroy());
  };
  const server = createServer((request, response) => {
    if (fault.status !== undefined) response.writeHead(fault.status).end();
    else if (request.url === "/simple/torch/") index(response);
    else if (request.url === `/files/${NAME}`) wheel(request, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const args = [program, "torch==2.15.0", `http://127.0.0.1:${port}/simple`, folder];
    const ended = await runToEnd(pythonPath(), args, { env: { NO_PROXY: "*", PIP_CERT: undefined } });
    return { ...ended, ranges, files: existsSync(folder) ? readdirSync(folder) : [] };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** Leaves in `folder` what an interrupted download left, and other files. */
function interrupted(folder: string, bytes: Buffer): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${SHA256}.part`), bytes);
  writeFileSync(join(folder, "torch-2.14.0-py3-none-any.whl"), "");
}

describe("the download of a wheel", () => {
  const inFolder = (use: (folder: string) => Promise<void>) => () =>
    withDirectory((directory) => use(join(directory, "downloads")));

  function checkComplete(folder: string, run: Run): void {
    assert.equal(run.code, 0, run.stdout + run.stderr);
    assert.deepEqual(run.files, [NAME]);
    assert.ok(readFileSync(join(folder, NAME)).equals(BYTES));
  }

  for (const html of [false, true]) {
    it(
      `takes the wheel that fits from an index in ${html ? "HTML" : "JSON"}`,
      inFolder(async (folder) => {
        const run = await download(folder, { html });
        checkComplete(folder, run);
        assert.deepEqual(run.ranges, [undefined]);
      }),
    );
  }

  it(
    "continues what another run has left, and deletes other files",
    inFolder(async (folder) => {
      interrupted(folder, BYTES.subarray(0, FIRST_PART));
      const run = await download(folder);
      checkComplete(folder, run);
      assert.deepEqual(run.ranges, [`bytes=${FIRST_PART}-`]);
    }),
  );

  it(
    "continues in the same run where the connection ends",
    inFolder(async (folder) => {
      const run = await download(folder, { endsAfter: FIRST_PART });
      checkComplete(folder, run);
      assert.equal(run.ranges.length, 2);
      assert.match(run.ranges[1] ?? "", /^bytes=[1-9]\d*-$/);
    }),
  );

  it(
    "starts again where the server knows no ranges",
    inFolder(async (folder) => {
      interrupted(folder, BYTES.subarray(0, FIRST_PART));
      checkComplete(folder, await download(folder, { withoutRanges: true }));
    }),
  );

  it(
    "needs no bytes where all were received, and no server for a complete wheel",
    inFolder(async (folder) => {
      interrupted(folder, BYTES);
      checkComplete(folder, await download(folder));
      const again = await download(folder);
      checkComplete(folder, again);
      assert.deepEqual(again.ranges, []);
    }),
  );

  it(
    "deletes bytes that do not have the digest of the index, and then starts again",
    inFolder(async (folder) => {
      interrupted(folder, Buffer.alloc(FIRST_PART, "x"));
      const run = await download(folder);
      assert.equal(run.code, 1);
      assert.match(run.stdout, /DO NOT MATCH THE HASHES/);
      assert.deepEqual(run.files, []);
      checkComplete(folder, await download(folder));
    }),
  );

  it(
    "starts again where more was left than there is",
    inFolder(async (folder) => {
      interrupted(folder, Buffer.concat([BYTES, BYTES]));
      checkComplete(folder, await download(folder));
    }),
  );

  it(
    "leaves the choice to pip, and no file, for an index that it can't read",
    inFolder(async (folder) => {
      interrupted(folder, BYTES.subarray(0, FIRST_PART));
      const run = await download(folder, { status: 404 });
      assert.equal(run.code, 0, run.stderr);
      assert.deepEqual(run.files, []);
    }),
  );
});
