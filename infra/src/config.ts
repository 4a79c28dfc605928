/** What infra reads from the environment; the table in infra/README.md is the manual. */
export type InfraConfig = {
  /** Address the edge listens on. `OCEANCHAT_EDGE_HOST`, default 127.0.0.1. */
  readonly edgeHost: string;
  /** Plain HTTP. `OCEANCHAT_EDGE_PORT`, default 8080. */
  readonly edgePort: number;
  /** HTTPS. `OCEANCHAT_EDGE_TLS_PORT`, default 8443. */
  readonly edgeTlsPort: number;
  /** Raw TCP with TLS. `OCEANCHAT_TCP_PORT`, default 5223. */
  readonly tcpPort: number;
  /** Servers that somebody else runs: `NATS_URL`, `REDIS_URL`, `MONGODB_URL`. */
  readonly natsUrl: string | undefined;
  readonly redisUrl: string | undefined;
  readonly mongodbUrl: string | undefined;
  /** `OCEANCHAT_MONGODB_DATABASE`, default oceanchat. */
  readonly mongodbDatabase: string;
  /** `OCEANCHAT_LOG_LEVEL`, default info. */
  readonly logLevel: string;
  /** `OCEANCHAT_STORE`: "fast" takes the store built by `make infra-fast`. Default embedded. */
  readonly store: "embedded" | "fast";
  /** `OCEANCHAT_MODE`: a process per service (mesh), or one for all of them (standalone). Default mesh. */
  readonly mode: Mode;
  /** NATS `sync_interval`, e.g. always or 10s. `OCEANCHAT_NATS_SYNC_INTERVAL`, default: the server's (2 min). */
  readonly natsSyncInterval: string | undefined;
  /** Envoy workers; each costs memory. `OCEANCHAT_ENVOY_CONCURRENCY`, default 1. */
  readonly envoyConcurrency: number;
  /** Flags for every service's node, split by space. `OCEANCHAT_NODE_FLAGS`, default none. */
  readonly nodeFlags: readonly string[];
  /** The interpreter that makes the venv. `OCEANCHAT_PYTHON`, default: the first Python ≥ 3.11 on PATH. */
  readonly python: string | undefined;
  readonly path: string;
  /** What children inherit. */
  readonly inherited: Readonly<Record<string, string>>;
};

/** How services run: each in a process of its own, or all in one. */
export type Mode = "mesh" | "standalone";

const INHERITED = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|OTEL_\w+|OCEANCHAT_\w+)$/;

export function loadInfraConfig(env: NodeJS.ProcessEnv): InfraConfig {
  const problems: string[] = [];
  const integer = (key: string, fallback: number, max: number): number => {
    const text = env[key];
    if (text === undefined || text === "") return fallback;
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1 && value <= max) return value;
    problems.push(`${key}="${text}": expected a whole number from 1 to ${max}`);
    return fallback;
  };
  const text = (key: string): string | undefined => env[key] || undefined;
  const store = text("OCEANCHAT_STORE") ?? "embedded";
  if (store !== "embedded" && store !== "fast") problems.push(`OCEANCHAT_STORE="${store}": expected embedded or fast`);
  const mode = text("OCEANCHAT_MODE") ?? "mesh";
  if (mode !== "mesh" && mode !== "standalone") problems.push(`OCEANCHAT_MODE="${mode}": expected mesh or standalone`);
  const config: InfraConfig = {
    edgeHost: text("OCEANCHAT_EDGE_HOST") ?? "127.0.0.1",
    edgePort: integer("OCEANCHAT_EDGE_PORT", 8080, 65_535),
    edgeTlsPort: integer("OCEANCHAT_EDGE_TLS_PORT", 8443, 65_535),
    tcpPort: integer("OCEANCHAT_TCP_PORT", 5223, 65_535),
    natsUrl: text("NATS_URL"),
    redisUrl: text("REDIS_URL"),
    mongodbUrl: text("MONGODB_URL"),
    mongodbDatabase: text("OCEANCHAT_MONGODB_DATABASE") ?? "oceanchat",
    logLevel: text("OCEANCHAT_LOG_LEVEL") ?? "info",
    store: store === "fast" ? "fast" : "embedded",
    mode: mode === "standalone" ? "standalone" : "mesh",
    natsSyncInterval: text("OCEANCHAT_NATS_SYNC_INTERVAL"),
    envoyConcurrency: integer("OCEANCHAT_ENVOY_CONCURRENCY", 1, 256),
    nodeFlags: (text("OCEANCHAT_NODE_FLAGS") ?? "").split(" ").filter((flag) => flag !== ""),
    python: text("OCEANCHAT_PYTHON"),
    path: env.PATH ?? "",
    inherited: inheritedFrom(env),
  };
  if (problems.length > 0) throw new Error(`configuration:\n  ${problems.join("\n  ")}`);
  return config;
}

function inheritedFrom(env: NodeJS.ProcessEnv): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [key, value] of Object.entries(env)) if (value !== undefined && INHERITED.test(key)) result[key] = value;
  return result;
}
