import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ChildSpec } from "./child.ts";
import { loadInfraConfig } from "./config.ts";
import { ENVOY_FLAGS, type EnvoyOptions, envoySpec, renderEnvoy } from "./envoy.ts";
import type { Layout } from "./layout.ts";
import { lastLines } from "./log-file.ts";
import { Ports } from "./ports.ts";
import { HOST, httpProbe } from "./probe.ts";
import { Processes } from "./processes.ts";
import { createStatus } from "./status.ts";
import { findTools, type Tool } from "./tools.ts";
import { assignAddresses } from "./topology.ts";

const TIMEOUT_MS = 15_000;

/**
 * What Envoy refuses of the edge's configuration; nothing when all is well. `--mode validate` reads only the
 * bootstrap, so a real Envoy is started, with upstreams that nobody serves, and asked how it took each file.
 */
export async function envoyRefusals(layout: Layout): Promise<string[]> {
  const config = { ...loadInfraConfig(process.env), edgeHost: "127.0.0.1" };
  const dataDir = await mkdtemp(join(tmpdir(), "oceanchat-envoy-"));
  const ports = new Ports();
  const processes = await Processes.open({ dataDir, status: createStatus(true, () => undefined) });
  try {
    const { envoy } = await findTools(["envoy"], { layout, config, servers: "pinned", say: console.error });
    const plain = await ports.take("plain");
    const tls = await ports.take("tls");
    const tcp = await ports.take("tcp");
    const admin = await ports.take("admin");
    const addresses = await assignAddresses(ports, {});
    return await tryOut(envoy, { layout, config, dataDir, ports: { plain, tls, tcp, admin }, addresses }, processes);
  } finally {
    await processes.close();
    await ports.release();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function tryOut(envoy: Tool, options: EnvoyOptions, processes: Processes): Promise<string[]> {
  const { bootstrap } = await renderEnvoy(options);
  const args = ["--mode", "validate", ...ENVOY_FLAGS, "-c", bootstrap];
  const validated = spawnSync(envoy.command, args, { encoding: "utf8" });
  if (validated.status !== 0) return [`--mode validate: ${validated.stderr.trim()}`];
  const spec = envoySpec(envoy, bootstrap, options);
  const admin = `http://${HOST}:${options.ports.admin}`;
  await processes.start([{ ...spec, ready: httpProbe(`${admin}/ready`) }]);
  // Refused listeners leave nobody to answer /healthz: whichever comes first ends the wait.
  const deadline = Date.now() + TIMEOUT_MS;
  for (let listening = false; !listening; await delay(50)) {
    listening = await answers(spec);
    const refused = await refusedUpdates(admin);
    if (refused.length > 0) return [...refused, ...complaints(spec.logFile)];
    if (Date.now() > deadline)
      return [`/healthz does not answer after ${TIMEOUT_MS / 1000} s`, ...complaints(spec.logFile)];
  }
  return [];
}

async function answers(spec: ChildSpec): Promise<boolean> {
  try {
    await spec.ready(AbortSignal.timeout(1_000));
    return true;
  } catch {
    return false; // asked again until the deadline
  }
}

async function refusedUpdates(admin: string): Promise<string[]> {
  const response = await fetch(`${admin}/stats?filter=update_(rejected|failure)|key_rotation_failed`);
  const lines = (await response.text()).split("\n").filter((line) => line !== "");
  if (lines.length === 0) throw new Error("envoy's admin port tells no update statistics");
  return lines.filter((line) => !line.endsWith(": 0"));
}

const complaints = (logFile: string): string[] =>
  lastLines(logFile, 0, 10, 20_000).filter((line) => /reject|fail|error/i.test(line));
