import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type InfraConfig, loadInfraConfig, type Mode } from "./config.ts";
import { type Endpoints, EndpointsFile, endpointsOf } from "./endpoints.ts";
import { type EdgePorts, type EnvoyOptions, envoySpec, renderEnvoy } from "./envoy.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { isFree, Ports } from "./ports.ts";
import { Processes } from "./processes.ts";
import { planServers } from "./server-plan.ts";
import { SERVER_NAMES, type ServerName } from "./servers.ts";
import { processOf, STANDALONE, serviceSpecs } from "./service-specs.ts";
import { createStatus, type Status } from "./status.ts";
import {
  type Addresses,
  assignAddresses,
  SERVICE_NAMES,
  type ServerUrls,
  type ServiceName,
  stopOrder,
} from "./topology.ts";

export type MeshOptions = {
  /** The repository; default this one. */
  readonly root?: string;
  /** Data of the servers, logs/, run/, envoy/, ports.json, endpoints.json. Reused if it exists. */
  readonly dataDir: string;
  /** fixed: the edge listens on 8080, 8443 and 5223 (or what the environment says); all others are always free ones. */
  readonly ports: "free" | "fixed";
  /** pinned (default): only the wheels. any: servers given by URL, then programs on PATH, then the wheels. */
  readonly servers?: "pinned" | "any";
  /** A process per service, or one for all. Default: `OCEANCHAT_MODE`, else mesh. `only` and `instances` need the mesh. */
  readonly mode?: Mode;
  /** Default: as in topology.ts. */
  readonly instances?: Partial<Readonly<Record<ServiceName, number>>>;
  /** Added to the environment of every process of a service; a service's own wins over "all". */
  readonly env?: Partial<Readonly<Record<ServiceName | "all", Readonly<Record<string, string>>>>>;
  /** Services to start, default all. The others keep their addresses, but nothing listens there. */
  readonly only?: readonly ServiceName[];
  /** Start Envoy? Default: yes, unless `only` is given. */
  readonly edge?: boolean;
  /** No status lines; a process that dies by itself is still told. */
  readonly quiet?: boolean;
  /** Default <dataDir>/endpoints.json. */
  readonly endpointsFile?: string;
  /** Called as soon as the mesh can be stopped, while it still starts. */
  readonly onStop?: (stop: { gently(): Promise<void>; force(): Promise<void> }) => void;
  /** Only for tests of infra itself. */
  readonly layout?: Partial<Layout>;
};

export type Mesh = {
  /** Always current. */
  readonly endpoints: Endpoints;
  /** In the single process every service's instance stands for that one, here and below. */
  process(instance: string): { readonly pid: number; readonly restarts: number };
  /** Default SIGKILL; resolves when the process has gone. It is started again on the same ports. */
  kill(instance: string, signal?: NodeJS.Signals): Promise<void>;
  /** That process, or all, healthy again; rejects after 60 s. */
  untilReady(instance?: string): Promise<void>;
  /** Path of the log. */
  logs(instance: string): string;
  stop(): Promise<void>;
};

/** Starts servers, services and Envoy, in this order, each when the former are healthy, and keeps them running. */
export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const layout = { ...layoutOf(options.root), ...options.layout };
  const config = loadInfraConfig(process.env);
  const mode = modeOf(options, config);
  const status = createStatus(options.quiet ?? false, (text) => process.stderr.write(text));
  await mkdir(options.dataDir, { recursive: true });
  let changed = (): void => undefined;
  const processes = await Processes.open({ dataDir: options.dataDir, status, onChange: () => changed() });
  const ports = new Ports(join(options.dataDir, "ports.json"));
  const file = new EndpointsFile(options.endpointsFile ?? join(options.dataDir, "endpoints.json"));
  let addresses: Addresses | undefined;
  const stop = once(async () => {
    const services = addresses === undefined ? [] : [...stopOrder(addresses), [STANDALONE]];
    await processes.stop([["envoy"], ...services, SERVER_NAMES]);
    await processes.close();
    await ports.release();
    await file.remove();
  });
  options.onStop?.({ gently: stop, force: () => processes.force() });
  try {
    const run = await prepare({ ...options, mode }, { layout, config, status, ports });
    addresses = run.addresses;
    const named = (instance: string): string => processOf(instance, mode, run.addresses);
    const pidOf = (instance: string): number => processes.pidOf(named(instance));
    const endpoints = (): Endpoints => endpointsOf(mode, run.addresses, run.started, run.urls, run.edge, pidOf);
    changed = () => file.write(endpoints());
    for (const group of [run.serverSpecs, run.serviceSpecs, run.edgeSpecs]) await processes.start(group);
    return meshOf(processes, named, endpoints, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

function modeOf({ mode, only, instances }: MeshOptions, config: InfraConfig): Mode {
  const chosen = mode ?? config.mode;
  if (chosen === "standalone" && (only ?? instances) !== undefined) {
    throw new Error("the single process runs one of each service: only and instances need the mesh");
  }
  return chosen;
}

function meshOf(
  processes: Processes,
  named: (instance: string) => string,
  endpoints: () => Endpoints,
  stop: () => Promise<void>,
): Mesh {
  return {
    get endpoints() {
      return endpoints();
    },
    process: (instance) => {
      const { pid, restarts } = processes.get(named(instance));
      return { pid, restarts };
    },
    kill: async (instance, signal = "SIGKILL") => processes.get(named(instance)).kill(signal),
    untilReady: (instance) => processes.untilReady(instance === undefined ? undefined : named(instance)),
    logs: (instance) => processes.get(named(instance)).spec.logFile,
    stop,
  };
}

type Surroundings = {
  readonly layout: Layout;
  readonly config: InfraConfig;
  readonly status: Status;
  readonly ports: Ports;
};

/** Everything that is decided before the first process starts. */
async function prepare(
  options: MeshOptions & { readonly mode: Mode },
  { layout, config, status, ports }: Surroundings,
) {
  const { dataDir } = options;
  const withEdge = options.edge ?? options.only === undefined;
  const edgePorts = withEdge ? await chooseEdgePorts(options.ports, ports, config) : undefined;
  const plan = await planServers(SERVER_NAMES, withEdge, {
    ...{ layout, config, dataDir, ports, status },
    servers: options.servers ?? "pinned",
  });
  const url = (name: ServerName): string => plan.servers.get(name)?.url ?? "";
  const urls: ServerUrls = { nats: url("nats"), redis: url("valkey"), mongodb: url("mongodb") };
  const instances = options.mode === "standalone" ? { "ws-gateway": 1 } : options.instances;
  const addresses = await assignAddresses(ports, instances ?? {}, withEdge ? resolve(dataDir, "run") : undefined);
  await ports.save();
  const started: ReadonlySet<ServiceName> = new Set(options.only ?? SERVICE_NAMES);
  const { mode, env = {} } = options;
  const specs = serviceSpecs({ mode, started, addresses, urls, layout, config, dataDir, env });
  const common = { addresses, started, urls, serviceSpecs: specs };
  const serverSpecs = [...plan.servers.values()].flatMap(({ spec }) => spec ?? []);
  if (edgePorts === undefined || plan.envoy === undefined) {
    return { ...common, serverSpecs, edge: undefined, edgeSpecs: [] };
  }
  const envoy: EnvoyOptions = { layout, config, dataDir, ports: edgePorts, addresses };
  const rendered = await renderEnvoy(envoy);
  const edge = { host: config.edgeHost, ports: edgePorts, certificate: rendered.certificate };
  return { ...common, serverSpecs, edge, edgeSpecs: [envoySpec(plan.envoy, rendered.bootstrap, envoy)] };
}

async function chooseEdgePorts(kind: "free" | "fixed", ports: Ports, config: InfraConfig): Promise<EdgePorts> {
  const admin = await ports.take("envoy-admin");
  if (kind === "free") {
    const [plain, tls, tcp] = [await ports.take("edge"), await ports.take("edge-tls"), await ports.take("edge-tcp")];
    return { plain, tls, tcp, admin };
  }
  const fixed = [
    ["OCEANCHAT_EDGE_PORT", config.edgePort],
    ["OCEANCHAT_EDGE_TLS_PORT", config.edgeTlsPort],
    ["OCEANCHAT_TCP_PORT", config.tcpPort],
  ] as const;
  const taken: string[] = [];
  for (const [variable, port] of fixed) {
    if (!(await isFree(port, config.edgeHost))) taken.push(`port ${port} is in use; ${variable} chooses another`);
  }
  if (taken.length > 0) throw new Error(taken.join("\n"));
  return { plain: config.edgePort, tls: config.edgeTlsPort, tcp: config.tcpPort, admin };
}

function once(action: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= action();
    return running;
  };
}
