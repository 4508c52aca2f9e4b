// A service in another process: how it is started, and a client with persistent connections.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { env } from "node:process";
import { createInterface } from "node:readline";

const TAIL_CHARACTERS = 1500;

/**
 * Starts a program that prints a line of JSON when it is ready. Resolves to `{ announced, cpuSeconds, stop }`, with that line's value.
 * Rejects with the end of its standard error if it ends before.
 */
export async function startService(program, args, { isReady = readAnnouncement } = {}) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env });
  let errors = "";
  const ended = new Promise((resolve) => child.on("close", resolve));
  const announced = await new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        const value = isReady(line);
        if (value) resolve(value);
        else if (stream === child.stderr) errors = `${errors}${line}\n`.slice(-TAIL_CHARACTERS);
      });
    }
    child.on("error", reject);
    ended.then((code) => reject(new Error(`The service ended with ${code}: ${errors}`)));
  });
  return {
    announced,
    cpuSeconds: () => readCpuSeconds(child.pid),
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
      await ended;
      clearTimeout(timer);
    },
  };
}

const readAnnouncement = (line) => line.startsWith('{"port"') && JSON.parse(line);

/** The processor time of a process, of the system included; undefined where /proc does not exist. */
function readCpuSeconds(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
    // utime and stime, in hundredths of a second on every Linux.
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}

/** A client of `http://127.0.0.1:<port>`. */
export function clientOf(port) {
  const agent = new Agent({ keepAlive: true });
  /** The answer's text. `onData` is called with each part. */
  const post = (path, body, { signal, onData } = {}) =>
    new Promise((resolve, reject) => {
      const text = JSON.stringify(body);
      const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
      const sent = httpRequest({ agent, host: "127.0.0.1", port, path, method: "POST", headers, signal }, (answer) => {
        let received = "";
        answer.setEncoding("utf8");
        answer.on("data", (part) => {
          received += part;
          onData?.(part);
        });
        answer.on("error", reject);
        answer.on("end", () => {
          if (answer.statusCode === 200) resolve(received);
          else reject(new Error(`${path} answers ${answer.statusCode}: ${received.slice(0, TAIL_CHARACTERS)}`));
        });
      });
      sent.on("error", reject);
      sent.end(text);
    });
  return { post, close: () => agent.destroy() };
}
