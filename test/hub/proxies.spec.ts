import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { type AddressInfo, createServer as createSocketServer, type Server, type Socket } from "node:net";
import { proxyFor } from "#lib/hub/http.js";
import { fakeExport, pull, useHub } from "./hub.js";

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("a proxy", () => {
  const hub = useHub();

  it("of HTTP_PROXY gets the requests for http, with its own password, except for the hosts of NO_PROXY", async () => {
    const { server } = hub();
    server.add("org/model", fakeExport(1000));
    const passed: string[] = [];
    const proxy = createServer(({ url = "", headers }, response) => {
      passed.push(`${headers["proxy-authorization"]} ${new URL(url).host}`);
      const { "proxy-authorization": _, ...others } = headers;
      request(url, { headers: others }, (answer) => {
        response.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(response);
      }).end();
    });
    const place = await listen(proxy);
    try {
      process.env.HTTP_PROXY = `http://user:p%40ss@${place}`;
      await pull("org/model");
      const credentials = `Basic ${Buffer.from("user:p@ss").toString("base64")}`;
      const hosts = [server.endpoint, server.storage].map((url) => `${credentials} ${new URL(url).host}`);
      assert.deepEqual(new Set(passed), new Set(hosts));
      passed.length = 0;
      process.env.NO_PROXY = "localhost, 127.0.0.1";
      await pull("org/model");
      assert.deepEqual(passed, []);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  it("of HTTPS_PROXY is asked for a tunnel", async () => {
    const asked: string[] = [];
    const sockets = new Set<Socket>();
    let answer = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
    const proxy = createSocketServer((socket) => {
      sockets.add(socket.on("error", () => {}));
      socket.once("data", (data) => {
        asked.push(data.toString().split("\r\n", 1)[0] ?? "");
        socket.write(answer);
        // What follows a tunnel is TLS, which this server doesn't speak.
        socket.once("data", () => socket.end("no TLS"));
      });
    });
    const place = await listen(proxy);
    try {
      process.env.HTTPS_PROXY = place;
      process.env.HF_ENDPOINT = "https://hub.invalid:444";
      const code = "ERR_DOWNLOAD_FAILED";
      await assert.rejects(pull("org/model"), { code, message: /status 403 of the proxy 127\.0\.0\.1/ });
      assert.deepEqual(new Set(asked), new Set(["CONNECT hub.invalid:444 HTTP/1.1"]));
      answer = "HTTP/1.1 200 OK\r\n\r\n";
      await assert.rejects(pull("org/model"), {
        code,
        message: /^Expected a connection with hub\.invalid:444 for .* but received (?!ENOTFOUND|EAI)/,
      });
    } finally {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    }
  });

  it("that closes its connections, or isn't there, is an error", async () => {
    const proxy = createSocketServer((socket) => socket.on("error", () => {}).destroy());
    const place = await listen(proxy);
    for (const name of ["HTTP_PROXY", "HTTPS_PROXY"]) process.env[name] = `http://${place}`;
    for (const endpoint of [hub().server.endpoint, "https://hub.invalid"]) {
      process.env.HF_ENDPOINT = endpoint;
      await assert.rejects(pull("org/model"), { code: "ERR_DOWNLOAD_FAILED" });
    }
    proxy.close();
    await once(proxy, "close");
    await assert.rejects(pull("org/model"), { code: "ERR_DOWNLOAD_FAILED", message: /ECONNREFUSED/ });
  });

  it("is chosen by the protocol and NO_PROXY", () => {
    const proxy = (url: string, noProxy?: string) =>
      proxyFor(new URL(url), { httpProxy: "http://a:1", httpsProxy: "b:2", noProxy })?.host;
    assert.equal(proxy("http://x.org"), "a:1");
    assert.equal(proxy("https://x.org"), "b:2");
    assert.equal(
      proxyFor(new URL("https://x.org"), { httpProxy: "a:1", httpsProxy: undefined, noProxy: undefined }),
      undefined,
    );
    for (const exempt of ["x.org", ".x.org", "*.x.org", "*", "y, x.org", "y x.org", "X.ORG", "x.org:443", "org"]) {
      assert.equal(proxy("https://x.org", exempt), undefined, exempt);
    }
    for (const other of ["", ",", "ax.org", "x.org:80", "x.or", "y.x.org"]) {
      assert.equal(proxy("https://x.org", other), "b:2", other);
    }
    assert.equal(proxy("http://sub.x.org", "x.org"), undefined);
    assert.equal(proxy("http://[::1]:80", "::1"), undefined);
    assert.equal(proxy("http://[::1]:80", "[::1]:81"), "a:1");
    for (const wrong of ["socks5://a:1", "http://", "http://a b"]) {
      const settings = { httpProxy: wrong, httpsProxy: undefined, noProxy: undefined };
      assert.throws(() => proxyFor(new URL("http://x.org"), settings), { code: "ERR_INVALID_ARGUMENT" }, wrong);
    }
  });
});
