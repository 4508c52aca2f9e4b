// Everything public: a server inside a program of one's own.
export { type RunningServer, startServer } from "./app/server.js";
export type { ConfigInput } from "./config/config.js";
export { ConfigSchema, type Limits, type ModelSettings, type ServerConfig } from "./config/schema.js";
