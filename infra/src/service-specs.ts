import { join } from "node:path";
import type { ChildSpec } from "./child.ts";
import type { InfraConfig, Mode } from "./config.ts";
import { grpcHealthProbe } from "./grpc-health.ts";
import type { Layout } from "./layout.ts";
import { nodeEnvironment } from "./node-environment.ts";
import type { Probe } from "./probe.ts";
import {
  type Addresses,
  environmentOf,
  type Instance,
  nodeFlagsOf,
  type ServerUrls,
  type ServiceName,
  STANDALONE_NODE_FLAGS,
  standaloneEnvironment,
} from "./topology.ts";

/** The single process that runs every service, where there is one. */
export const STANDALONE = "standalone";

export type ServiceSpecsOptions = {
  readonly mode: Mode;
  readonly started: ReadonlySet<ServiceName>;
  readonly addresses: Addresses;
  readonly urls: ServerUrls;
  readonly layout: Layout;
  readonly config: InfraConfig;
  readonly dataDir: string;
  /** Added to the environment: of all, and of single services; in one process of all of them. */
  readonly env: Partial<Readonly<Record<ServiceName | "all", Readonly<Record<string, string>>>>>;
};

/** The processes that run the services: one for each instance, or one for all of them. */
export function serviceSpecs(options: ServiceSpecsOptions): ChildSpec[] {
  if (options.mode === "standalone") return [standaloneSpec(options)];
  const { started, addresses } = options;
  return [...started].flatMap((name) => addresses[name].map((instance) => serviceSpec(name, instance, options)));
}

/** The process that runs an instance. */
export function processOf(instance: string, mode: Mode, addresses: Addresses): string {
  const instances = mode === "standalone" ? Object.values(addresses).flat() : [];
  return instances.some((one) => one.instance === instance) ? STANDALONE : instance;
}

function serviceSpec(name: ServiceName, instance: Instance, options: ServiceSpecsOptions): ChildSpec {
  const { addresses, urls, layout, config, env } = options;
  const own = { ...environmentOf(instance, addresses, urls, config), ...env.all, ...env[name] };
  const args = [...nodeFlagsOf(name, config), layout.service(name)];
  return { ...nodeSpec(instance.instance, args, own, options), ports: instance.ports, ready: meshProbe([instance]) };
}

function standaloneSpec(options: ServiceSpecsOptions): ChildSpec {
  const { addresses, urls, layout, config, env, started } = options;
  const names = [...started];
  const own = { ...standaloneEnvironment(addresses, urls, config), ...env.all };
  for (const name of names) Object.assign(own, env[name]);
  const args = [...STANDALONE_NODE_FLAGS, ...config.nodeFlags, layout.standalone];
  const { ws = 0, tcp = 0 } = addresses["ws-gateway"][0]?.ports ?? {};
  const ready = meshProbe(names.flatMap((name) => addresses[name]));
  return { ...nodeSpec(STANDALONE, args, own, options), ports: { ws, tcp }, ready };
}

function nodeSpec(
  instance: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { config, layout, dataDir }: ServiceSpecsOptions,
): Omit<ChildSpec, "ports" | "ready"> {
  return {
    instance,
    command: process.execPath,
    args,
    env: { ...config.inherited, ...env, ...nodeEnvironment(layout) },
    cwd: layout.root,
    logFile: join(dataDir, "logs", `${instance}.log`),
  };
}

/** All of them serve. */
function meshProbe(instances: readonly Instance[]): Probe {
  const probes = instances.map(({ instance, ports: { mesh } }) => {
    if (mesh === undefined) throw new Error(`${instance} has no mesh door`);
    return grpcHealthProbe(mesh);
  });
  return async (signal) => {
    for (const probe of probes) await probe(signal);
  };
}
