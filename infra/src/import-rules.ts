import { dirname, join, normalize } from "node:path";

/** One import of a source file. `type` ones leave no trace when the program runs. */
export type Import = { readonly from: string; readonly type: boolean; readonly line: number };
export type Source = { readonly path: string; readonly text: string };
export type Finding = { readonly path: string; readonly line: number; readonly problem: string };

/** The roles of DESIGN's import table; a file that is not in it has none. */
type RoleName = "main" | "config" | "ports" | "core" | "service" | "consumer" | "adapter" | "errors";

const ROLES: Readonly<Record<string, RoleName>> = {
  main: "main",
  start: "main",
  config: "config",
  ports: "ports",
  core: "core",
  service: "service",
  consumer: "consumer",
  store: "adapter",
  bus: "adapter",
  peers: "adapter",
  errors: "errors",
};

/** Local roles that a file may not import so that anything runs; types are always free. */
const FORBIDDEN: Readonly<Partial<Record<RoleName, readonly RoleName[]>>> = {
  core: ["main", "config", "service", "consumer", "adapter"],
  service: ["main", "config", "adapter"],
  consumer: ["main", "config", "adapter"],
  adapter: ["main", "config", "core", "service", "consumer"],
  config: ["main", "core", "service", "consumer", "adapter"],
  errors: ["main", "config", "core", "service", "consumer", "adapter"],
  ports: ["main", "config", "core", "service", "consumer", "adapter"],
};

/** Packages that reach the world outside the process. */
export const DRIVERS =
  /^(mongodb|ioredis|ws|pino|firebase-admin|@parse\/|@nats-io\/|@grpc\/|@connectrpc\/connect-|@opentelemetry\/)/;
/** Every import of a file, with its line. */
export function importsOf(text: string): Import[] {
  const found: Import[] = [];
  const patterns = [
    /^[ \t]*(?:import|export)\s+(type\s+)?(?:[\w*{][^;"'`]*?\s+from\s+)["']([^"']+)["']/gm,
    /^[ \t]*import\s+()["']([^"']+)["']/gm,
    /\bimport\(\s*()["']([^"']+)["']/g,
  ];
  for (const pattern of patterns) {
    for (const match of text.matchAll(pattern)) {
      const line = text.slice(0, match.index).split("\n").length;
      if (match[2] !== undefined) found.push({ from: match[2], type: Boolean(match[1]), line });
    }
  }
  return found;
}

/** Every import that the rules forbid. */
export function importFindings(sources: readonly Source[]): Finding[] {
  return sources.flatMap((source) =>
    importsOf(source.text).flatMap((one) =>
      problemsOf(source.path, one).map((problem) => ({ path: source.path, line: one.line, problem })),
    ),
  );
}

function problemsOf(path: string, { from, type }: Import): string[] {
  const unit = unitOf(path);
  if (from.startsWith(".")) {
    const target = normalize(join(dirname(path), from));
    if (unitOf(target) !== unit) return [`${from} is in another package; import what it exports`];
    const role = roleOf(path);
    const wanted = roleOf(target);
    // A test may run its own service in its process; that is what main.ts exports start for.
    if (target.endsWith("/main.ts") && !path.includes("/test/")) return ["nobody imports a main"];
    if (type || role === undefined || wanted === undefined || !FORBIDDEN[role]?.includes(wanted)) return [];
    return [`${role} may not import ${from}`];
  }
  const name = /^@oceanchat\/([\w-]+)/.exec(from)?.[1];
  if (name === undefined) {
    const role = roleOf(path);
    const edge = role === "service" || role === "consumer";
    return edge && !type && DRIVERS.test(from) ? [`${role} may not import the driver ${from}`] : [];
  }
  // The single process starts all services; it gets nothing else of them than what a process of their own would use.
  const started = unit === "standalone" && /^@oceanchat\/[\w-]+\/(main|config)$/.test(from);
  if (from.endsWith("/main") && !started) return ["nobody imports a main"];
  if (started) return [];
  return mayUse(path, unit).includes(name) ? [] : [`${unit} may not import @oceanchat/${name}`];
}

function mayUse(path: string, unit: string): string[] {
  if (unit === "gen") return ["gen"];
  if (unit === "runtime") return ["gen", "runtime", ...(path.includes("/src/") ? [] : ["infra"])];
  if (unit === "infra") return ["gen", "infra"];
  if (unit === "standalone") return ["gen", "runtime", ...(path.includes("/test/") ? ["infra", unit] : [])];
  if (unit === "tests") return ["gen", "infra", "runtime", "sdk", unit];
  // Raw clients: it attacks with what the tests attack with.
  if (unit === "bench") return ["gen", "infra", "runtime", "sdk", "tests", unit];
  const own = unit.slice(unit.lastIndexOf("/") + 1);
  // Its tests may start servers (infra) and stand-ins for the world outside, such as push providers (tests).
  return ["gen", "runtime", own, ...(path.includes("/test/") ? ["infra", "tests"] : [])];
}

/** The package a path belongs to: gen, runtime, services/auth, … */
export function unitOf(path: string): string {
  const parts = path.split("/");
  return parts[0] === "services" ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
}

/** What the file is in its service; undefined where the table names none. */
export function roleOf(path: string): RoleName | undefined {
  const match = /^services\/[\w-]+\/src\/(?:(core)\/.+|([\w-]+))\.ts$/.exec(path);
  return ROLES[match?.[1] ?? match?.[2] ?? ""];
}
