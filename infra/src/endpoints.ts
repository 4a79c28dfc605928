import { rename, rm, writeFile } from "node:fs/promises";
import type { Mode } from "./config.ts";
import type { EdgePorts } from "./envoy.ts";
import { HOST } from "./probe.ts";
import { type Addresses, type Door, SERVICE_NAMES, type ServerUrls, type ServiceName } from "./topology.ts";

/** `pid` is 0 while the process is down. Doors are host:port. */
export type ServiceEndpoint = {
  readonly instance: string;
  readonly pid: number;
  readonly mesh: string;
  readonly public?: string;
  readonly ws?: string;
  readonly tcp?: string;
};

/** Where everything of a running mesh can be reached; also the content of endpoints.json. */
export type Endpoints = {
  /** A process per service, or one for all of them. */
  readonly mode: Mode;
  /** "" in this and the next four when the mesh runs without Envoy. */
  readonly edge: string;
  readonly edgeTls: string;
  readonly ws: string;
  /** Speaks TLS. */
  readonly tcp: string;
  /** Path of the self-signed certificate that a TLS client must trust. */
  readonly certificate: string;
  /** Only services that were started. */
  readonly services: Readonly<Record<ServiceName, readonly ServiceEndpoint[]>>;
  readonly infra: {
    readonly nats: string;
    readonly redis: string;
    readonly mongodb: string;
    readonly envoyAdmin: string;
  };
};

export type EdgeEndpoint = { readonly host: string; readonly ports: EdgePorts; readonly certificate: string };

export function endpointsOf(
  mode: Mode,
  addresses: Addresses,
  started: ReadonlySet<ServiceName>,
  servers: ServerUrls,
  edge: EdgeEndpoint | undefined,
  pidOf: (instance: string) => number,
): Endpoints {
  const services = SERVICE_NAMES.map((name) => {
    const list = started.has(name) ? addresses[name] : [];
    return [name, list.map(({ instance, ports }) => serviceEndpoint(instance, pidOf(instance), ports))] as const;
  });
  const at = (scheme: string, port: number | undefined, path = ""): string =>
    edge === undefined ? "" : `${scheme}${edge.host}:${port}${path}`;
  return {
    mode,
    edge: at("http://", edge?.ports.plain),
    edgeTls: at("https://", edge?.ports.tls),
    ws: at("ws://", edge?.ports.plain, "/ws"),
    tcp: at("", edge?.ports.tcp),
    certificate: edge?.certificate ?? "",
    services: Object.fromEntries(services) as Record<ServiceName, ServiceEndpoint[]>,
    infra: { ...servers, envoyAdmin: edge === undefined ? "" : `http://${HOST}:${edge.ports.admin}` },
  };
}

function serviceEndpoint(instance: string, pid: number, ports: Partial<Record<Door, number>>): ServiceEndpoint {
  const at = (port: number): string => `${HOST}:${port}`;
  return {
    instance,
    pid,
    mesh: at(ports.mesh ?? 0),
    ...(ports.public !== undefined && { public: at(ports.public) }),
    ...(ports.ws !== undefined && { ws: at(ports.ws) }),
    ...(ports.tcp !== undefined && { tcp: at(ports.tcp) }),
  };
}

/** Keeps endpoints.json up to date: whole files only, one write after the other, the newest last. */
export class EndpointsFile {
  readonly #file: string;
  #writing: Promise<void> = Promise.resolve();
  #next: Endpoints | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  write(endpoints: Endpoints): void {
    const queued = this.#next !== undefined;
    this.#next = endpoints;
    if (!queued) this.#writing = this.#writing.then(() => this.#writeNext());
  }

  /** A mesh that has stopped must not look as if it ran. */
  async remove(): Promise<void> {
    await this.#writing;
    await rm(this.#file, { force: true });
  }

  async #writeNext(): Promise<void> {
    const endpoints = this.#next;
    this.#next = undefined;
    const draft = `${this.#file}.${process.pid}`;
    await writeFile(draft, `${JSON.stringify(endpoints, null, 2)}\n`);
    await rename(draft, this.#file);
  }
}
