import { choice, decimal, type Env, integer, port, readConfig, text, type Values } from "./config.ts";

/** What every service process can be told, beside its own keys. */
export const processKeys = {
  instance: text(
    "OCEANCHAT_INSTANCE",
    "The name of this process in logs and health, unique in the installation.",
    "local",
  ),
  listenHost: text("OCEANCHAT_LISTEN_HOST", "The address that the doors listen on.", "0.0.0.0"),
  publicPort: port(
    "OCEANCHAT_PUBLIC_PORT",
    "The public door's port (Connect, gRPC-Web, gRPC); Envoy alone calls it.",
    8081,
  ),
  meshPort: port("OCEANCHAT_MESH_PORT", "The mesh door's port (gRPC); other services alone call it.", 8082),
  logLevel: choice("OCEANCHAT_LOG_LEVEL", "The least important lines that are written.", "info", [
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "silent",
  ]),
  drainDelayMs: integer(
    "OCEANCHAT_DRAIN_DELAY_MS",
    "How long a stopping process still takes calls after it has said NOT_SERVING, in milliseconds.",
    0,
    0,
    120_000,
  ),
  graceMs: integer("OCEANCHAT_GRACE_MS", "How long running calls may take to end, in milliseconds.", 5_000, 0, 300_000),
  stopMs: integer(
    "OCEANCHAT_STOP_MS",
    "After this time a stopping process ends, come what may, in milliseconds.",
    20_000,
    1_000,
    600_000,
  ),
  streamMaxBytes: integer(
    "OCEANCHAT_STREAM_MAX_BYTES",
    "Largest size of a stream on disk, in bytes; 0: as the contract declares it. The same for every service.",
    0,
    0,
    Number.MAX_SAFE_INTEGER,
  ),
  streamReplicas: integer(
    "OCEANCHAT_STREAM_REPLICAS",
    "How many NATS servers keep a copy of a stream. The same for every service.",
    1,
    1,
    5,
  ),
  tokenIssuer: text("OCEANCHAT_TOKEN_ISSUER", "The `iss` of access tokens.", "https://auth.oceanchat.example"),
  tokenAudience: text("OCEANCHAT_TOKEN_AUDIENCE", "The `aud` of access tokens.", "oceanchat-api"),
  otlpEndpoint: text("OTEL_EXPORTER_OTLP_ENDPOINT", "Where spans go (OTLP over HTTP); none: no spans are made.", ""),
  traceRatio: decimal(
    "OCEANCHAT_TRACE_RATIO",
    "Which share of socket packets is traced, where spans are made.",
    0.05,
    0,
    1,
  ),
} as const;

/** The values of the process keys. */
export type ProcessConfig = Values<typeof processKeys>;

/** Reads what every process can be told. */
export const readProcessConfig = (env: Env): ProcessConfig => readConfig(processKeys, env);
