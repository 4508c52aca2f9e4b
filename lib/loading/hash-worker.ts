// The worker thread of `sha256OnWorker`.
import { parentPort, workerData } from "node:worker_threads";
import { sha256Sync } from "./hash.js";

const { path, bytes } = workerData as { readonly path: string; readonly bytes: number };
parentPort?.postMessage(sha256Sync(path, bytes));
