// The worker thread of `sha256OnWorker`.
import { parentPort, workerData } from "node:worker_threads";
import { sha256 } from "./hash.js";

const { path, bytes } = workerData as { readonly path: string; readonly bytes: number };
sha256(path, bytes).then((digest) => parentPort?.postMessage(digest));
