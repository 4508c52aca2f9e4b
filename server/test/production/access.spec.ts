import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { after, before } from "mocha";
import { grpcClient } from "../support/grpc.js";
import { TestServer } from "../support/server.js";

describe("API keys", () => {
  const directory = mkdtempSync(join(tmpdir(), "torch-t5-keys-"));
  let server: TestServer;
  before(async () => {
    const file = join(directory, "keys.txt");
    writeFileSync(file, "first-key\n\n  second-key \r\n");
    server = await TestServer.start({ apiKeysFile: file }, { TORCH_T5_API_KEYS: "third-key,fourth-key" });
  });
  after(async () => {
    await server?.stop();
    rmSync(directory, { recursive: true });
  });

  const authorized = (authorization: string) => ({ headers: { authorization } });

  it("are needed for all routes but those of probes", async () => {
    for (const path of ["/health", "/v2/health/live", "/v2/health/ready"]) {
      assert.equal((await server.fetch(path)).status, 200, path);
    }
    for (const path of [
      "/v2",
      "/v2/models/demo",
      "/v1/models",
      "/metrics",
      "/info",
      "/docs/json",
      "/docs/",
      "/nothing",
    ]) {
      const response = await server.fetch(path);
      assert.deepEqual([response.status, response.headers.get("www-authenticate")], [401, "Bearer"], path);
    }
  });

  it("are those of the file and of the environment", async () => {
    for (const key of ["first-key", "second-key", "third-key", "fourth-key"]) {
      assert.equal((await server.fetch("/v2", undefined, authorized(`Bearer ${key}`))).status, 200, key);
    }
    for (const value of [
      "first-key",
      "Basic first-key",
      "Bearer",
      "Bearer first-keyy",
      "Bearer first-key second-key",
      "Bearer ,",
    ]) {
      assert.equal((await server.fetch("/v2", undefined, authorized(value))).status, 401, value);
    }
  });

  it("are refused in the shape of each protocol, before a body is read", async () => {
    const bodies = await Promise.all(
      ["/v1/completions", "/generate", "/v2/models/demo/infer"].map(async (path) => {
        const response = await server.fetch(path, "{");
        return [response.status, await response.json()] as const;
      }),
    );
    const message = 'Expected "Bearer" and an API key for authorization but received nothing';
    const code = "ERR_UNAUTHORIZED";
    assert.deepEqual(bodies, [
      [401, { error: { message, type: "authentication_error", param: null, code } }],
      [401, { error: message, error_type: "unauthorized", code }],
      [401, { error: `${message} (${code})`, code }],
    ]);
  });

  it("are needed over gRPC as well", async () => {
    const client = grpcClient(`127.0.0.1:${server.grpcPort}`);
    assert.deepEqual(await client.call("ServerLive", {}), { live: true });
    await assert.rejects(client.call("ServerMetadata", {}), (error: ServiceError) => error.code === 16);
    const metadata = new Metadata();
    metadata.set("authorization", "Bearer second-key");
    assert.equal(
      (await client.call<{ readonly name: string }>("ServerMetadata", {}, metadata)).name,
      "torch-t5-server",
    );
    client.close();
  });
});

describe("TLS", () => {
  const directory = mkdtempSync(join(tmpdir(), "torch-t5-tls-"));
  const file = (name: string) => join(directory, name);
  let ca: string;
  before(() => {
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file("key.pem")];
    execFileSync("openssl", ["req", "-x509", ...key, "-out", file("cert.pem"), "-days", "2", ...subject], {
      stdio: "ignore",
    });
    ca = execFileSync("cat", [file("cert.pem")], { encoding: "utf8" });
  });
  after(() => rmSync(directory, { recursive: true }));

  const get = (url: string, agent: Agent): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      request(url, { agent }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on("error", reject)
        .end();
    });

  it("protects HTTP and gRPC", async () => {
    const server = await TestServer.start({ tls: { cert: file("cert.pem"), key: file("key.pem") } });
    assert.match(server.url, /^https:/);
    assert.equal(await get(`${server.url}/health`, new Agent({ ca })), 200);
    await assert.rejects(get(`${server.url}/health`, new Agent()), /self-signed/);
    const client = grpcClient(`localhost:${server.grpcPort}`, credentials.createSsl(Buffer.from(ca)));
    assert.deepEqual(await client.call("ServerReady", {}), { ready: true });
    client.close();
    assert.equal((await server.stop()).code, 0);
  });

  it("requires a certificate of clients with clientCa", async () => {
    const tls = { cert: file("cert.pem"), key: file("key.pem"), clientCa: file("cert.pem") };
    const server = await TestServer.start({ tls });
    await assert.rejects(get(`${server.url}/health`, new Agent({ ca })));
    const read = (name: string) => execFileSync("cat", [file(name)], { encoding: "utf8" });
    const agent = new Agent({ ca, cert: read("cert.pem"), key: read("key.pem") });
    assert.equal(await get(`${server.url}/health`, agent), 200);
    assert.equal((await server.stop()).code, 0);
  });
});
