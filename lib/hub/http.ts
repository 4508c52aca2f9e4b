// One GET request, directly or through a proxy. Node.js's fetch knows no proxy before version 24, and the agent of the
// package undici connects to a proxy that closes its connections again and again, without an end.
import {
  type Agent,
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  request as requestHttp,
} from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { expected, refused } from "../util/validation.js";
import type { HubSettings } from "./settings.js";

type Headers = Readonly<Record<string, string>>;
type ProxySettings = Pick<HubSettings, "httpProxy" | "httpsProxy" | "noProxy">;

const DEFAULT_PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };

/** The connections of one download, which several requests may use one after the other. */
export class Connections {
  readonly #settings: ProxySettings;
  readonly #http = new HttpAgent({ keepAlive: true });
  readonly #https = new HttpsAgent({ keepAlive: true });

  constructor(settings: ProxySettings) {
    this.#settings = settings;
  }

  /**
   * Resolves to the beginning of the answer. Rejects with the signal's reason, ERR_INVALID_ARGUMENT for a wrong proxy,
   * and with the errors of Node.js.
   */
  async get(url: URL, headers: Headers, signal: AbortSignal): Promise<IncomingMessage> {
    const isHttps = url.protocol === "https:";
    const proxy = proxyFor(url, this.#settings);
    if (proxy === undefined) {
      const agent: Agent = isHttps ? this.#https : this.#http;
      return answerOf((isHttps ? requestHttps : requestHttp)(url, { headers, agent }), signal);
    }
    if (!isHttps) {
      const place = { host: bare(proxy.hostname), port: portOf(proxy), path: url.href, agent: false } as const;
      const proxied = { ...headers, host: url.host, ...authorization(proxy) };
      return answerOf(send(proxy)({ ...place, headers: proxied }), signal);
    }
    const socket = await tunnel(url, proxy, signal);
    const host = bare(url.hostname);
    const createConnection = () => connectTls({ socket, ...(isIP(host) === 0 && { servername: host }), host });
    // Without an agent, which would make its own connection.
    return answerOf(requestHttps(url, { headers, createConnection }), signal);
  }

  /** Ends all connections. */
  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

/** The proxy for a URL, unless its host is one of NO_PROXY. Throws ERR_INVALID_ARGUMENT. */
export function proxyFor(url: URL, { httpProxy, httpsProxy, noProxy }: ProxySettings): URL | undefined {
  const isHttps = url.protocol === "https:";
  const given = isHttps ? httpsProxy : httpProxy;
  if (given === undefined || isExempt(url, noProxy ?? "")) return undefined;
  const name = isHttps ? "HTTPS_PROXY" : "HTTP_PROXY";
  // As with curl, "host:port" is enough.
  const text = given.includes("://") ? given : `http://${given}`;
  if (!URL.canParse(text)) throw refused("a URL", name, "another text");
  const proxy = new URL(text);
  if (DEFAULT_PORTS[proxy.protocol] === undefined) throw expected("an http or https URL", name, proxy.protocol);
  return proxy;
}

/** Whether a list of hosts, domains and ports, or "*", has the host of a URL. */
function isExempt(url: URL, noProxy: string): boolean {
  const host = bare(url.hostname).toLowerCase();
  return noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => {
      if (entry === "*") return true;
      const [, listed = "", port] = /^(.*?)(?::(\d+))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? [];
      const domain = bare(listed).replace(/^\*?\./, "");
      if (domain === "" || (port !== undefined && Number(port) !== portOf(url))) return false;
      return host === domain || host.endsWith(`.${domain}`);
    });
}

/** A connection through a proxy to the host of a URL. */
function tunnel(url: URL, proxy: URL, signal: AbortSignal): Promise<Socket> {
  const host = `${url.hostname}:${portOf(url)}`;
  const options = {
    host: bare(proxy.hostname),
    port: portOf(proxy),
    method: "CONNECT",
    path: host,
    agent: false,
  } as const;
  const request = send(proxy)({ ...options, headers: { host, ...authorization(proxy) }, signal });
  return new Promise((resolve, reject) => {
    request.once("connect", ({ statusCode }, socket) => {
      if (statusCode === 200) {
        resolve(socket as Socket);
        return;
      }
      socket.destroy();
      reject(new Error(`status ${statusCode} of the proxy ${proxy.host}`));
    });
    // A proxy that knows no CONNECT.
    request.once("response", (answer) => {
      answer.destroy();
      reject(new Error(`status ${answer.statusCode} of the proxy ${proxy.host}`));
    });
    request.once("error", (thrown) => reject(signal.aborted ? signal.reason : thrown));
    request.end();
  });
}

/** Sends a request without a body, and waits for the beginning of its answer. The signal ends the waiting only. */
function answerOf(request: ClientRequest, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      request.destroy();
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    request.once("response", (answer) => {
      signal.removeEventListener("abort", abort);
      resolve(answer);
    });
    // Also after the answer began, where the reader of the body gets the error.
    request.on("error", (thrown) => {
      signal.removeEventListener("abort", abort);
      reject(thrown);
    });
    request.end();
  });
}

function send(proxy: URL): typeof requestHttps {
  return proxy.protocol === "https:" ? requestHttps : requestHttp;
}

function authorization({ username, password }: URL): Headers {
  if (username === "") return {};
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  return { "proxy-authorization": `Basic ${credentials.toString("base64")}` };
}

function portOf({ port, protocol }: URL): number {
  return port === "" ? (DEFAULT_PORTS[protocol] ?? 0) : Number(port);
}

/** A host as sockets take it: an IPv6 address without its brackets. */
function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}
