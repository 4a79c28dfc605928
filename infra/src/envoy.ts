import { copyFile, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { certificateIn } from "./certificate-files.ts";
import type { ChildSpec } from "./child.ts";
import type { InfraConfig } from "./config.ts";
import { laptopClusters } from "./envoy-clusters.ts";
import type { Layout } from "./layout.ts";
import { HOST, httpProbe } from "./probe.ts";
import type { Tool } from "./tools.ts";
import type { Addresses } from "./topology.ts";

export type EdgePorts = { readonly plain: number; readonly tls: number; readonly tcp: number; readonly admin: number };

export type EnvoyOptions = {
  readonly layout: Layout;
  readonly config: InfraConfig;
  readonly dataDir: string;
  readonly ports: EdgePorts;
  readonly addresses: Addresses;
};

/** The ports that envoy/*.yaml name. */
const WRITTEN: EdgePorts = { plain: 8080, tls: 8443, tcp: 5223, admin: 9901 };

export type RenderedEnvoy = { readonly folder: string; readonly bootstrap: string; readonly certificate: string };

/** Writes <dataDir>/envoy: the files of envoy/ with this mesh's folder, ports and addresses. */
export async function renderEnvoy(options: EnvoyOptions): Promise<RenderedEnvoy> {
  const { layout, dataDir } = options;
  const folder = join(dataDir, "envoy");
  for (const part of ["xds", "sds", "tls"]) await mkdir(join(folder, part), { recursive: true });
  const certificate = await certificateIn(join(folder, "tls"));
  const source = async (name: string): Promise<string> =>
    adapt(await readFile(join(layout.envoy, name), "utf8"), folder, options);
  await copyFile(layout.descriptors, join(folder, "descriptors.binpb"));
  await replace(join(folder, "sds/edge.yaml"), SECRET.replaceAll("/etc/envoy", folder));
  await replace(join(folder, "xds/cds.yaml"), laptopClusters(options.addresses));
  await replace(join(folder, "xds/rds.yaml"), await source("rds.yaml"));
  await replace(join(folder, "xds/lds.yaml"), await source("lds.yaml"));
  const bootstrap = join(folder, "envoy.yaml");
  await replace(bootstrap, await source("envoy.yaml"));
  return { folder, bootstrap, certificate };
}

/** Envoy with the rendered files. */
export function envoySpec(tool: Tool, bootstrap: string, { config, dataDir, ports }: EnvoyOptions): ChildSpec {
  return {
    instance: "envoy",
    command: tool.command,
    args: [...ENVOY_FLAGS, "--concurrency", String(config.envoyConcurrency), "-c", bootstrap],
    env: config.inherited,
    cwd: dataDir,
    ports: { http: ports.plain, https: ports.tls, tcp: ports.tcp, admin: ports.admin },
    // The admin port says LIVE even without a listener; this asks the listener itself.
    ready: httpProbe(`http://${HOST}:${ports.plain}/healthz`),
    logFile: join(dataDir, "logs/envoy.log"),
  };
}

export const ENVOY_FLAGS = [
  "--reject-unknown-dynamic-fields", // else a misspelt field is dropped with a warning
  "--disable-hot-restart",
  "--log-level",
  "warning",
] as const;

// Envoy's own copy of the service's secret file; the key pair is made for this machine.
const SECRET = `resources:
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: edge
  tls_certificate:
    certificate_chain: { filename: /etc/envoy/tls/tls.crt }
    private_key: { filename: /etc/envoy/tls/tls.key }
`;

/** The folder, the listeners' ports and their address; nothing else of a file changes. */
export function adapt(text: string, folder: string, { config, ports }: Pick<EnvoyOptions, "config" | "ports">): string {
  const assigned = new Map(
    Object.entries(WRITTEN).map(([name, port]) => [String(port), ports[name as keyof EdgePorts]]),
  );
  return text
    .replaceAll("/etc/envoy", folder)
    .replaceAll(/(port_value: *)(\d+)/g, (all, key: string, port: string) => {
      const mine = assigned.get(port);
      return mine === undefined ? all : `${key}${mine}`;
    })
    .replaceAll(/(address: *)0\.0\.0\.0/g, `$1${config.edgeHost}`);
}

// Envoy watches the folder and reads a file when it is renamed into place.
async function replace(file: string, content: string): Promise<void> {
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, content);
  await rename(draft, file);
}
