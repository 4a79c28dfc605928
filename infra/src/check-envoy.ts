// Envoy accepts the edge's whole configuration. `--mode validate` reads only the bootstrap, so a real one is started:
// upstreams that nobody serves, and every file source must have been taken without an objection.
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadInfraConfig } from "./config.ts";
import { ENVOY_FLAGS, envoySpec, renderEnvoy } from "./envoy.ts";
import { layoutOf } from "./layout.ts";
import { Ports } from "./ports.ts";
import { Processes } from "./processes.ts";
import { createStatus } from "./status.ts";
import { findTools } from "./tools.ts";
import { assignAddresses } from "./topology.ts";

const layout = layoutOf();
const config = { ...loadInfraConfig(process.env), edgeHost: "127.0.0.1" };
const status = createStatus(true, (text) => process.stderr.write(text));
const dataDir = await mkdtemp(join(tmpdir(), "oceanchat-envoy-"));
const ports = new Ports();
const processes = await Processes.open({ dataDir, status });
try {
  const { envoy } = await findTools(["envoy"], { layout, config, servers: "pinned", say: console.error });
  const edge = {
    plain: await ports.take("plain"),
    tls: await ports.take("tls"),
    tcp: await ports.take("tcp"),
    admin: await ports.take("admin"),
  };
  const options = { layout, config, dataDir, ports: edge, addresses: await assignAddresses(ports, {}) };
  const { bootstrap } = await renderEnvoy(options);
  const validated = spawnSync(envoy.command, ["--mode", "validate", ...ENVOY_FLAGS, "-c", bootstrap], {
    encoding: "utf8",
  });
  if (validated.status !== 0) throw new Error(`envoy --mode validate: ${validated.stderr}`);
  await processes.start([envoySpec(envoy, bootstrap, options)]);
  const refused = await refusals(edge.admin);
  for (const line of refused) console.error(`envoy: ${line}; see the field in its log above`);
  console.log(`envoy: bootstrap, listeners, routes, clusters, certificate: ${refused.length} refused`);
  if (refused.length > 0) process.exitCode = 1;
} finally {
  await processes.close();
  await ports.release();
  await rm(dataDir, { recursive: true, force: true });
}

async function refusals(admin: number): Promise<string[]> {
  const response = await fetch(`http://127.0.0.1:${admin}/stats?filter=update_(rejected|failure)|key_rotation_failed`);
  const lines = (await response.text()).split("\n").filter((line) => line !== "");
  if (lines.length === 0) throw new Error("envoy's admin port tells no update statistics");
  return lines.filter((line) => !line.endsWith(": 0"));
}
