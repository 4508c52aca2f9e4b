// An nginx of its own, which runs the example of deploy/.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { freePorts } from "./ports.js";

const EXAMPLE = readFileSync(new URL("../../deploy/nginx.conf", import.meta.url), "utf8");
const POLL_MS = 20;
/** Debian's is not on the PATH of every user. */
const PATH = `${process.env.PATH ?? ""}:/usr/sbin`;

/** The ports of the processes behind nginx. */
export interface Backends {
  readonly http: readonly [number, number];
  readonly grpc: readonly [number, number];
}

/** An nginx that runs the example with other ports. */
export class Nginx {
  static async start({ http, grpc }: Backends): Promise<Nginx> {
    const [port = 0, grpcPort = 0] = await freePorts(2);
    const directory = mkdtempSync(join(tmpdir(), "torch-t5-nginx-"));
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${directory};`);
    const ports = [8080, 8082, 8081, 8083, 8000, 8001].map((known) => `127.0.0.1:${known}`);
    const own = [...http, ...grpc, port, grpcPort];
    let text = EXAMPLE.replace("http {", `http { access_log off; ${paths.join(" ")}`);
    for (const [index, known] of ports.entries()) {
      assert.equal(EXAMPLE.split(known).length, 2, known);
      text = text.replace(known, `127.0.0.1 ${own[index]}`);
    }
    // Replaced in two steps, because a free port may be one of the example's.
    text = text.replaceAll("127.0.0.1 ", "127.0.0.1:");
    const file = join(directory, "nginx.conf");
    writeFileSync(file, text);
    const main = `daemon off; pid ${directory}/nginx.pid; error_log stderr crit;`;
    const args = ["-p", directory, "-c", file, "-g", main];
    const child = spawn("nginx", args, { env: { ...process.env, PATH }, stdio: ["ignore", "ignore", "pipe"] });
    const nginx = new Nginx(child, directory, port, grpcPort);
    await nginx.#untilItListens();
    return nginx;
  }

  readonly url: string;
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly #port: number;
  #stderr = "";

  private constructor(
    child: ChildProcess,
    directory: string,
    port: number,
    readonly grpcPort: number,
  ) {
    this.#child = child;
    this.#directory = directory;
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      this.#stderr += chunk;
    });
  }

  async #untilItListens(): Promise<void> {
    for (;;) {
      if (this.#child.exitCode !== null) throw new Error(`nginx ended: ${this.#stderr}`);
      const socket = connect(this.#port, "127.0.0.1");
      const isOpen = await once(socket, "connect").then(
        () => true,
        () => false,
      );
      socket.destroy();
      if (isOpen) return;
      await setTimeout(POLL_MS);
    }
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, "close");
    this.#child.kill("SIGTERM");
    await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }

  post(path: string, body: unknown): Promise<Response> {
    const headers = { "content-type": "application/json" };
    return fetch(`${this.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  }
}
