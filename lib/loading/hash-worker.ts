// The thread that hashes one large file, so that the event loop doesn't.
import { parentPort, workerData } from "node:worker_threads";
import { sha256 } from "./hash.js";

const { path, bytes } = workerData as { readonly path: string; readonly bytes: number };
sha256(path, bytes).then((digest) => parentPort?.postMessage(digest));
