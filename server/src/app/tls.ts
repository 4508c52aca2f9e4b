// Certificates and keys for TLS, of HTTP and gRPC.
import { readFile } from "node:fs/promises";
import type { TlsSettings } from "../config/schema.js";
import { expected } from "../errors/server-error.js";

/** What Node's servers take. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** With it, clients need a certificate of this authority. */
  readonly ca?: Buffer;
  readonly requestCert?: true;
  readonly rejectUnauthorized?: true;
}

/** Rejects with ERR_INVALID_ARGUMENT. */
export async function readTls({ cert, key, clientCa }: TlsSettings): Promise<TlsFiles> {
  const read = (path: string, name: string) =>
    readFile(path).catch((cause: Error) => {
      throw expected("a readable file", `config.tls.${name}`, cause.message);
    });
  const files = { cert: await read(cert, "cert"), key: await read(key, "key") };
  if (clientCa === undefined) return files;
  return { ...files, ca: await read(clientCa, "clientCa"), requestCert: true, rejectUnauthorized: true };
}
