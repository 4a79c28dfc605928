import type { DescMethodBiDiStreaming, DescService } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { type AddressSource, openAddresses } from "./addresses.ts";
import { type BusOptions, connectBus } from "./bus.ts";
import type { Bus } from "./bus-types.ts";
import { type Calls, type CallsOptions, connectCalls } from "./calls.ts";
import type { Env } from "./config.ts";
import type { Registration } from "./handlers.ts";
import { openMeshDoor } from "./mesh-door.ts";
import type { Neighbours } from "./neighbours.ts";
import { connectPeers, type PeerOptions, type Peers } from "./peers.ts";
import type { ProcessConfig } from "./process-config.ts";
import type { PublicDoor } from "./public-door.ts";
import { createTokenVerifier, type PublicJwk, type TokenVerifier } from "./token.ts";
import type { Tracing } from "./trace.ts";
import { createRequestValidator, type RequestValidator } from "./validate.ts";

/** What a service is given by whatever runs it: everything that isn't its own. A service keeps no state outside `start`. */
export interface Host {
  /** The service's name, for instance `auth`. */
  readonly service: string;
  /** This process's name, for instance `auth-1`. */
  readonly instance: string;
  readonly env: Env;
  readonly config: ProcessConfig;
  readonly log: Logger;
  readonly tracing: Tracing;
  /** Checks what is asked against the rules of the contracts. Doors do so by themselves. */
  readonly validate: RequestValidator;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls of another service, closed when the process stops. One that shares this process is called without a socket. */
  peers<S extends DescService>(
    service: S,
    at: AddressSource,
    options?: Pick<PeerOptions<S>, "timeoutMs">,
  ): Promise<Peers<S>>;
  /** Batched calls of another service; without `at` every call names its address. */
  calls<M extends DescMethodBiDiStreaming>(
    method: M,
    at: AddressSource | undefined,
    options?: Pick<CallsOptions<M>, "timeoutMs" | "patientMs" | "maxInFlight" | "resend">,
  ): Promise<Calls<M>>;
  /**
   * The connection to NATS; the process ends when it can't be had any more. Streams get the size and the replicas that
   * the process is told.
   */
  bus(url: string, options?: Pick<BusOptions, "batch">): Promise<Bus>;
  /** Checks access tokens with keys that `fetchKeys` gets from auth. */
  tokenVerifier(fetchKeys: () => Promise<readonly PublicJwk[]>): TokenVerifier;
  /** Opens the doors and says SERVING: the last thing that `start` does. */
  serve(doors: Doors): Promise<Served>;
  /** Does something again and again, never twice at once, until the process stops; an error is logged and the next turn comes. */
  every(name: string, intervalMs: number, run: () => Promise<void>): void;
  /** Something to close when the process stops, after the doors, the last first. */
  defer(name: string, close: () => Promise<void> | void): void;
  /** Something to do first of all when the process stops, while it still says SERVING: hand over to others what comes in meanwhile. */
  handOver(name: string, run: () => Promise<void> | void): void;
  /** Something to do when the process stops, before the doors close: leave a list, tell clients. */
  beforeStop(name: string, run: () => Promise<void> | void): void;
  /** The process can't go on: log why and stop with exit code 1. */
  fatal(error: unknown): void;
}

/** What a service serves. */
export interface Doors {
  readonly public?: readonly Registration[];
  readonly mesh?: readonly Registration[];
  /** Needed with a public door. */
  readonly verify?: TokenVerifier;
}

/** Where the doors are. */
export interface Served {
  readonly publicPort: number | undefined;
  readonly meshPort: number;
}

/** A service. */
export type Start = (host: Host) => Promise<void>;

/** A host that can be stopped. */
export interface RunningHost extends Host {
  /** Hand over, NOT_SERVING, drain, close everything. Resolves when all is closed; the same promise for every caller. */
  stop(): Promise<void>;
}

interface Closer {
  readonly name: string;
  readonly close: () => Promise<void> | void;
}

/** A host that keeps to itself: its own doors and connections; with neighbours they are taken the short way. */
export function createHost(options: {
  readonly service: string;
  readonly env: Env;
  readonly config: ProcessConfig;
  readonly log: Logger;
  readonly tracing: Tracing;
  readonly onFatal: (error: unknown) => void;
  /** The process's own. Default: one for this host. */
  readonly validate?: RequestValidator;
  /** The services that share this process, if any do: they call each other without sockets. */
  readonly neighbours?: Neighbours;
}): RunningHost {
  const { service, env, config, log, tracing, validate = createRequestValidator() } = options;
  const near = options.neighbours === undefined ? {} : { neighbours: options.neighbours };
  const closers: Closer[] = [];
  const handingOver: Closer[] = [];
  const leaving: Closer[] = [];
  const doors: { setServing(serving: boolean): void; close(graceMs: number): Promise<void> }[] = [];
  const defer = (name: string, close: Closer["close"]) => void closers.push({ name, close });
  let stopping: Promise<void> | undefined;

  const host: RunningHost = {
    service,
    instance: config.instance,
    env,
    config,
    log,
    tracing,
    validate,
    now: () => Date.now(),
    async peers(desc, at, peerOptions) {
      const addresses = await openAddresses(at, log);
      const peers = connectPeers({ service: desc, addresses, log, ...near, ...peerOptions });
      defer(`peers ${desc.typeName}`, () => {
        peers.close();
        addresses.close();
      });
      return peers;
    },
    async calls(method, at, callsOptions) {
      const addresses = at === undefined ? undefined : await openAddresses(at, log);
      const calls = connectCalls({ method, addresses, log, ...near, ...callsOptions });
      defer(`calls ${method.name}`, () => {
        calls.close();
        addresses?.close();
      });
      return calls;
    },
    async bus(url, busOptions) {
      const { instance: name, streamMaxBytes, streamReplicas: replicas } = config;
      const streams = { replicas, ...(streamMaxBytes > 0 ? { maxBytes: streamMaxBytes } : {}) };
      const bus = await connectBus({ ...busOptions, url, name, log, streams, onClosed: options.onFatal });
      defer("bus", () => bus.close());
      return bus;
    },
    tokenVerifier: (fetchKeys) =>
      createTokenVerifier({ fetchKeys, issuer: config.tokenIssuer, audience: config.tokenAudience, now: host.now }),
    async serve(wanted) {
      const registrations = wanted.mesh ?? [];
      const { listenHost, meshPort } = config;
      const mesh = await openMeshDoor({ host: listenHost, port: meshPort, registrations, log, validate, ...near });
      doors.push(mesh);
      const open = wanted.public === undefined ? undefined : await openPublic(host, wanted);
      if (open !== undefined) doors.push(open);
      for (const door of doors) door.setServing(true);
      log.info({ publicPort: open?.port, meshPort: mesh.port }, "serving");
      return { publicPort: open?.port, meshPort: mesh.port };
    },
    every: (name, intervalMs, run) => defer(name, repeat(name, intervalMs, run, log)),
    defer,
    handOver: (name, run) => void handingOver.push({ name, close: run }),
    beforeStop: (name, run) => void leaving.push({ name, close: run }),
    fatal: options.onFatal,
    stop: () => {
      stopping ??= (async () => {
        await closeAll(handingOver, log);
        for (const door of doors) door.setServing(false);
        if (config.drainDelayMs > 0) await new Promise((resolve) => setTimeout(resolve, config.drainDelayMs));
        await closeAll(leaving, log);
        await Promise.all(doors.map((door) => door.close(config.graceMs)));
        await closeAll(closers, log);
      })();
      return stopping;
    },
  };
  return host;
}

/** Returns the function that ends it. */
function repeat(name: string, intervalMs: number, run: () => Promise<void>, log: Logger): () => Promise<void> {
  let turn: Promise<void> = Promise.resolve();
  let ended = false;
  let timer: NodeJS.Timeout | undefined;
  const next = () => {
    timer = setTimeout(() => {
      turn = run()
        .catch((error: unknown) => log.warn({ err: error, what: name }, "a turn failed"))
        .then(() => {
          if (!ended) next();
        });
    }, intervalMs);
  };
  next();
  return async () => {
    ended = true;
    clearTimeout(timer);
    await turn;
  };
}

async function closeAll(closers: readonly Closer[], log: Logger): Promise<void> {
  for (const { name, close } of closers.toReversed()) {
    try {
      await close();
    } catch (error) {
      log.warn({ err: error, what: name }, "closing failed");
    }
  }
}

async function openPublic({ config, log, tracing, validate }: Host, doors: Doors): Promise<PublicDoor> {
  if (doors.verify === undefined) throw new TypeError("a public door needs a token verifier");
  const { public: registrations = [], verify } = doors;
  // Only where there is such a door: what it loads takes 4 MB.
  const { openPublicDoor } = await import("./public-door.ts");
  const { listenHost: host, publicPort: port } = config;
  return openPublicDoor({ host, port, registrations, verify, validate, tracing, log });
}
