// A hub on the loopback: the routes of huggingface.co that clients download by, and the ways in which they can fail.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** A repository: its files by path, at one commit. */
export interface Repository {
  readonly files: ReadonlyMap<string, Buffer>;
  /** The files that git LFS stores. */
  isLfs(path: string): boolean;
  readonly commit: string;
  readonly refs: readonly string[];
}

/** Answers a request itself, and then returns true. */
export type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean;

const LFS = /\.(pt|safetensors|bin|model|onnx)$/;

export const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");
export const gitHash = (content: Buffer) =>
  createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");

/** A repository of these files. The commit follows from them. */
export function repositoryOf(files: Readonly<Record<string, Buffer | string>>, refs = ["main"]): Repository {
  const contents = new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)]));
  const commit = createHash("sha1");
  for (const [path, content] of contents) commit.update(path).update(sha256(content));
  return { files: contents, isLfs: (path) => LFS.test(path), commit: commit.digest("hex"), refs };
}

/** The files of a directory, for `repositoryOf`. */
export function filesOf(directory: string): Readonly<Record<string, Buffer>> {
  return Object.fromEntries(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]));
}

/** Files of LFS are on another server, as on huggingface.co. */
export class HubServer {
  readonly #hub: Server = createServer((request, response) => this.#answer(request, response));
  readonly #storage: Server = createServer((request, response) => this.#store(request, response));
  readonly #repositories = new Map<string, Repository>();
  readonly requests: Request[] = [];
  /** Runs before every answer of either server. */
  intercept: Intercept = () => false;
  /** The number of files in a page of a list. */
  pageSize = 1000;

  static async start(): Promise<HubServer> {
    const server = new HubServer();
    for (const each of [server.#hub, server.#storage]) {
      each.listen(0, "127.0.0.1");
      await once(each, "listening");
    }
    return server;
  }

  get endpoint(): string {
    return urlOf(this.#hub);
  }

  get storage(): string {
    return urlOf(this.#storage);
  }

  add(name: string, repository: Repository): Repository {
    this.#repositories.set(name, repository);
    return repository;
  }

  /** Forgets the requests, the repositories, and how to fail. */
  reset(): void {
    this.#repositories.clear();
    this.requests.length = 0;
    this.intercept = () => false;
    this.pageSize = 1000;
  }

  /** The requests for the content of files, by path in the repository. */
  downloads(): readonly string[] {
    const paths = this.requests.filter(({ method }) => method === "GET").map(({ path }) => path);
    return paths.flatMap((path) => /\/resolve\/[^/]+\/(.+)$/.exec(path)?.[1] ?? []);
  }

  async close(): Promise<void> {
    for (const server of [this.#hub, this.#storage]) {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.#log(request);
    if (this.intercept(request, response)) return;
    const url = new URL(request.url ?? "/", this.endpoint);
    const path = decodeURIComponent(url.pathname);
    const api = /^\/api\/models\/((?:[^/]+\/)?[^/]+)\/(revision|tree)\/(.+)$/.exec(path);
    const file = /^\/((?:[^/]+\/)?[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    const name = api?.[1] ?? file?.[1] ?? "";
    const revision = api?.[3] ?? file?.[2] ?? "";
    const repository = this.#repositories.get(name);
    if (repository === undefined) refuse(response, 404, "RepoNotFound");
    else if (revision !== repository.commit && !repository.refs.includes(revision)) {
      refuse(response, 404, "RevisionNotFound");
    } else if (file !== null) this.#sendFile(request, response, repository, file[3] ?? "");
    else if (api?.[2] === "revision") sendJson(response, describe(name, repository));
    else this.#sendTree(response, repository, url);
  }

  #sendTree(response: ServerResponse, repository: Repository, url: URL): void {
    const entries = [...repository.files].map(([path, content]) => entryOf(path, content, repository.isLfs(path)));
    const cursor = Number(url.searchParams.get("cursor") ?? 0);
    if (cursor + this.pageSize < entries.length) {
      url.searchParams.set("cursor", String(cursor + this.pageSize));
      response.setHeader("Link", `<${url.href}>; rel="next"`);
    }
    sendJson(response, entries.slice(cursor, cursor + this.pageSize));
  }

  #sendFile(request: IncomingMessage, response: ServerResponse, repository: Repository, path: string): void {
    response.setHeader("X-Repo-Commit", repository.commit);
    const content = repository.files.get(path);
    if (content === undefined) refuse(response, 404, "EntryNotFound");
    else if (repository.isLfs(path)) {
      response.setHeader("X-Linked-Etag", `"${sha256(content)}"`);
      response.setHeader("X-Linked-Size", content.length);
      response.writeHead(302, { location: `${this.storage}/${sha256(content)}` }).end();
    } else {
      response.setHeader("ETag", `"${gitHash(content)}"`);
      sendContent(request, response, content);
    }
  }

  #store(request: IncomingMessage, response: ServerResponse): void {
    this.#log(request);
    if (this.intercept(request, response)) return;
    const contents = [...this.#repositories.values()].flatMap(({ files }) => [...files.values()]);
    const content = contents.find((candidate) => request.url === `/${sha256(candidate)}`);
    if (content === undefined) response.writeHead(404).end();
    else sendContent(request, response, content);
  }

  #log({ method = "", url = "", headers }: IncomingMessage): void {
    this.requests.push({ method, path: url, range: headers.range, authorization: headers.authorization });
  }
}

/** An answer with ranges, as of S3. */
export function sendContent(request: IncomingMessage, response: ServerResponse, content: Buffer): void {
  const [, begin = "0", end = String(content.length - 1)] =
    /^bytes=(\d+)-(\d+)?$/.exec(request.headers.range ?? "") ?? [];
  const part = content.subarray(Number(begin), Number(end) + 1);
  response.statusCode = request.headers.range === undefined ? 200 : 206;
  if (response.statusCode === 206) {
    response.setHeader("Content-Range", `bytes ${begin}-${Number(begin) + part.length - 1}/${content.length}`);
  }
  response.setHeader("Content-Length", part.length);
  response.end(request.method === "HEAD" ? undefined : part);
}

export function refuse(response: ServerResponse, status: number, code: string): void {
  response.setHeader("X-Error-Code", code);
  response.setHeader("X-Error-Message", "A message of the hub");
  response.writeHead(status, { "content-type": "application/json" }).end('{"error":"A message of the hub"}');
}

export function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

/** A file as the hub lists it. */
export function entryOf(path: string, content: Buffer, isLfs: boolean): Readonly<Record<string, unknown>> {
  const lfs = { oid: sha256(content), size: content.length, pointerSize: 130 };
  return { type: "file", oid: gitHash(content), size: content.length, path, ...(isLfs && { lfs }) };
}

function describe(name: string, { commit, files }: Repository): unknown {
  return {
    _id: "0123456789abcdef01234567",
    id: name,
    modelId: name,
    sha: commit,
    private: false,
    gated: false,
    disabled: false,
    downloads: 1,
    likes: 0,
    tags: [],
    lastModified: "2024-01-01T00:00:00.000Z",
    createdAt: "2024-01-01T00:00:00.000Z",
    siblings: [...files.keys()].map((rfilename) => ({ rfilename })),
  };
}

function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server doesn't listen on a port");
  return `http://127.0.0.1:${address.port}`;
}
