import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { blocksOf, root } from "../../../test/docs/blocks.js";
import { RUN_WITH_SERVER } from "../../../test/docs/not-run.js";
import { ConfigSchema, LimitsSchema, ModelSchema } from "../../src/config/schema.js";
import { STATUSES } from "../../src/errors/codes.js";
import { clientsPython } from "../support/clients.js";
import { useServer } from "../support/server.js";

const FILE = "docs/server.md";
const text = readFileSync(join(root, FILE), "utf8");
const run = promisify(execFile);
/** Modules of JavaScript blocks are those of the server's package. */
const cwd = fileURLToPath(new URL("../..", import.meta.url));

describe(FILE, () => {
  const server = useServer();
  const blocks = blocksOf(FILE, text).filter(({ notRun }) => notRun === RUN_WITH_SERVER);

  it("has blocks that need a server", () => assert.ok(blocks.length >= 7));

  for (const { line, language, code, prints } of blocks) {
    it(`${FILE}:${line} prints what it states`, async () => {
      const local = code
        .replaceAll("127.0.0.1:8080", `127.0.0.1:${server().port}`)
        .replaceAll("127.0.0.1:8081", `127.0.0.1:${server().grpcPort}`);
      const programs: Readonly<Record<string, readonly [program: string, ...args: readonly string[]]>> = {
        sh: ["sh", "-e", "-c", local],
        python: [clientsPython, "-c", local],
        js: [process.execPath, "--input-type=module", "-e", local],
      };
      const [program = "", ...args] = programs[language] ?? [];
      const { stdout } = await run(program, args, { cwd });
      assert.deepEqual(stdout.trimEnd().split("\n"), prints);
    });
  }

  it("names every setting, every code of the server, and every metric of its own", async () => {
    const names = [ConfigSchema, ModelSchema, LimitsSchema].flatMap(({ properties }) => Object.keys(properties));
    const metrics = await (await server().fetch("/metrics")).text();
    const own = [...metrics.matchAll(/^# TYPE (torch_t5_(?!model_)\w+)/gm)].map(([, name = ""]) => name);
    assert.ok(own.length > 4);
    const codes = Object.entries(STATUSES).filter(([code, { http }]) => http !== 500 && code !== "ERR_ABANDONED");
    const missing = [...names.filter((name) => name !== "$schema"), ...codes.map(([code]) => code)];
    assert.deepEqual(
      missing.filter((name) => !text.includes(`\`${name}`)),
      [],
    );
    assert.deepEqual(
      own.filter((name) => !text.includes(name)),
      [],
    );
  });

  it("names every route", async () => {
    const { paths } = await server().json<{ readonly paths: Readonly<Record<string, unknown>> }>("/docs/json");
    const missing = Object.keys(paths)
      .filter((path) => !path.includes("{version}"))
      .filter((path) => !text.includes(`${path}\``) && !text.includes(`${path} `));
    assert.deepEqual(missing, ["/v2/models/{model}/generate_stream"]);
  });
});
