// API keys: who may use the server.
import { createHash, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { env } from "node:process";
import { ServerError } from "../errors/server-error.js";

/** The environment variable with keys, separated by commas. */
const VARIABLE = "TORCH_T5_API_KEYS";

const digest = (key: string) => createHash("sha256").update(key).digest();

/** The keys of which a request needs one. Without any, everybody may use the server. */
export class ApiKeys {
  readonly #digests: readonly Buffer[];

  constructor(keys: readonly string[]) {
    this.#digests = keys.map(digest);
  }

  /** The keys of a file, one a line, and those of TORCH_T5_API_KEYS. Rejects with ERR_INVALID_ARGUMENT. */
  static async read(file: string | undefined): Promise<ApiKeys> {
    const lines = file === undefined ? [] : (await readKeys(file)).split(/\r?\n/);
    const keys = [...lines, ...(env[VARIABLE] ?? "").split(",")].map((key) => key.trim()).filter((key) => key !== "");
    if (file !== undefined && keys.length === 0) {
      throw new ServerError("ERR_INVALID_ARGUMENT", `Expected API keys in ${file} but it has none`);
    }
    return new ApiKeys(keys);
  }

  get isRequired(): boolean {
    return this.#digests.length > 0;
  }

  /**
   * Checks a value of the header `authorization`: "Bearer" and a key. The time does not depend on the key: digests of
   * equal lengths are compared, and always all of them. Throws ERR_UNAUTHORIZED.
   */
  check(authorization: string | undefined): void {
    if (!this.isRequired) return;
    const key = /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1] ?? "";
    const received = digest(key);
    let isKnown = false;
    for (const each of this.#digests) isKnown = timingSafeEqual(each, received) || isKnown;
    if (isKnown) return;
    const what = authorization === undefined ? "nothing" : "another value";
    throw new ServerError(
      "ERR_UNAUTHORIZED",
      `Expected "Bearer" and an API key for authorization but received ${what}`,
    );
  }
}

async function readKeys(file: string): Promise<string> {
  return readFile(file, "utf8").catch((cause: Error) => {
    throw new ServerError("ERR_INVALID_ARGUMENT", `Expected a readable file for apiKeysFile but ${cause.message}`);
  });
}
