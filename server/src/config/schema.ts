// The schema of the configuration file. docs/server.md has a table of it.
import { type Static, Type } from "typebox";

const count = (description: string, defaultValue?: number) =>
  Type.Integer({ minimum: 1, description, ...(defaultValue !== undefined && { default: defaultValue }) });

const strict = { additionalProperties: false } as const;

/** One model that the server loads. */
export const ModelSchema = Type.Object(
  {
    name: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", description: "its name in requests" }),
    path: Type.Optional(Type.String({ minLength: 1, description: "an exported or Hugging Face directory" })),
    hub: Type.Optional(Type.String({ minLength: 1, description: "a name on Hugging Face's hub" })),
    revision: Type.Optional(Type.String({ minLength: 1, description: "a branch, tag or commit of the hub" })),
    precision: Type.Optional(
      Type.Enum(["exact", "float32", "bfloat16", "int8"], { default: "float32", description: "its precision" }),
    ),
    device: Type.Optional(Type.String({ description: "auto, cpu, cuda or cuda:N", default: "auto" })),
    intraOpThreads: Type.Optional(count("threads of one call")),
    maxQueueLength: Type.Optional(count("calls that may wait; one more is answered with 429", 256)),
    maxInputTokens: Type.Optional(count("ids in a row of an input; a longer one is refused", 32_768)),
    maxBatchSize: Type.Optional(count("rows of a decoding step")),
    maxBatchTokens: Type.Optional(count("positions of another pass")),
    maxCacheBytes: Type.Optional(count("bytes of KV caches")),
  },
  strict,
);

/** What one request may ask for. */
export const LimitsSchema = Type.Object(
  {
    bodyBytes: count("bytes of a request's body, and of a gRPC message", 8 * 2 ** 20),
    rows: count("texts, rows, documents or beams of a request", 64),
    tokens: count("tokens of a text or row", 4096),
    newTokens: count("tokens that a sequence may generate", 1024),
    outputBytes: count("bytes of the tensors of an answer; numbers in JSON count four times", 64 * 2 ** 20),
    seconds: Type.Number({ exclusiveMinimum: 0, maximum: 86_400, default: 120, description: "time of a request" }),
  },
  { ...strict, default: {} },
);

export const TlsSchema = Type.Object(
  {
    cert: Type.String({ minLength: 1, description: "a PEM file: the certificate and its chain" }),
    key: Type.String({ minLength: 1, description: "a PEM file: the private key" }),
    clientCa: Type.Optional(Type.String({ minLength: 1, description: "a PEM file: clients need a certificate of it" })),
  },
  strict,
);

/** The whole file. */
export const ConfigSchema = Type.Object(
  {
    $schema: Type.Optional(Type.String()),
    host: Type.String({ default: "127.0.0.1", minLength: 1, description: "the address to listen on" }),
    port: Type.Integer({ minimum: 0, maximum: 65_535, default: 8080, description: "the port of HTTP; 0: a free one" }),
    grpcPort: Type.Union([Type.Integer({ minimum: 0, maximum: 65_535 }), Type.Null()], {
      default: null,
      description: "the port of gRPC; 0: a free one, null: no gRPC",
    }),
    models: Type.Array(ModelSchema, { minItems: 1, description: "the models, of which the first is the default" }),
    limits: LimitsSchema,
    apiKeysFile: Type.Optional(Type.String({ minLength: 1, description: "a file with one API key a line" })),
    tls: Type.Optional(TlsSchema),
    drainSeconds: Type.Number({
      minimum: 0,
      maximum: 3600,
      default: 30,
      description: "time for running requests after SIGTERM",
    }),
    logLevel: Type.Enum(["silent", "fatal", "error", "warn", "info", "debug", "trace"], {
      default: "info",
      description: "the least severe log lines that are written",
    }),
    logTexts: Type.Boolean({ default: false, description: "also log the bodies of requests" }),
    inspect: Type.Boolean({ default: true, description: "serve the inspector" }),
    docs: Type.Boolean({ default: true, description: "serve the OpenAPI document and its page" }),
  },
  strict,
);

export type ModelSettings = Static<typeof ModelSchema>;
export type Limits = Static<typeof LimitsSchema>;
export type TlsSettings = Static<typeof TlsSchema>;
export type ServerConfig = Static<typeof ConfigSchema>;
