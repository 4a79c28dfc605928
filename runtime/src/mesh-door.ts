import { isIPv6 } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { Logger } from "pino";
import { type DoorLimits, DoorMethods } from "./door-methods.ts";
import { MAX_MESSAGE_BYTES, transportOptions } from "./grpc-wire.ts";
import type { Registration } from "./handlers.ts";
import { MeshHealth } from "./mesh-health.ts";
import { MeshMethods } from "./mesh-methods.ts";
import { addressesOfDoor, type Neighbours } from "./neighbours.ts";
import { createRequestValidator, type RequestValidator } from "./validate.ts";

export interface MeshDoorOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly registrations: readonly Registration[];
  readonly log: Logger;
  /** The largest message in either direction, in bytes. Default 4 MiB, which is what callers keep to. */
  readonly maxMessageBytes?: number;
  /** Items of one stream that are being answered before it is read on. Default 1024. */
  readonly maxItemsInFlight?: number;
  /** Unary calls and server streams that run at the same time; more are answered with OVERLOADED. Default 4096. */
  readonly maxCallsInFlight?: number;
  /** Default: one of its own. */
  readonly validate?: RequestValidator;
  /** Services of the same process, which then call the handlers without a socket. */
  readonly neighbours?: Neighbours;
}

/** The gRPC server that other services of the mesh call. NOT_SERVING until `setServing(true)`. */
export interface MeshDoor {
  readonly port: number;
  setServing(serving: boolean): void;
  /** NOT_SERVING, no new calls, up to `graceMs` for those that run, then the end for what is left. */
  close(graceMs: number): Promise<void>;
}

/** Opens the mesh door. Methods without a handler answer UNIMPLEMENTED. */
export async function openMeshDoor(options: MeshDoorOptions): Promise<MeshDoor> {
  const limits: DoorLimits = {
    maxMessageBytes: options.maxMessageBytes ?? MAX_MESSAGE_BYTES,
    maxItemsInFlight: options.maxItemsInFlight ?? 1024,
    maxCallsInFlight: options.maxCallsInFlight ?? 4096,
  };
  const server = new Server(transportOptions(limits.maxMessageBytes));
  const validate = options.validate ?? createRequestValidator();
  const methods = new DoorMethods(options.registrations, limits, validate, options.log);
  new MeshMethods(server, methods);
  const health = new MeshHealth(methods.services);
  health.register(server);
  const host = isIPv6(options.host) ? `[${options.host}]` : options.host;
  const port = await bind(server, `${host}:${options.port}`);
  const { neighbours } = options;
  const near = neighbours?.enter(addressesOfDoor(options.host, port), methods);
  let closing: Promise<void> | undefined;
  return {
    port,
    setServing(serving) {
      near?.setServing(serving);
      health.setServing(serving);
    },
    close(graceMs) {
      closing ??= Promise.all([near?.close(graceMs), close(server, health, `${host}:${port}`, graceMs)]).then(() => {
        if (near !== undefined) neighbours?.leave(near);
      });
      return closing;
    },
  };
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (cause, port) => {
      if (cause === null) resolve(port);
      else reject(cause);
    });
  });
}

/**
 * Callers that watch the health hear of the end first: they send nothing more, half-close their streams and call other
 * addresses, while what they have sent is answered. What still runs after the grace is cut.
 */
async function close(server: Server, health: MeshHealth, address: string, graceMs: number): Promise<void> {
  health.close();
  // Not forceShutdown: it cuts no sessions while channelz is off. After drain, shutting down waits for connections alone.
  server.drain(address, graceMs);
  await within(new Promise((resolve) => server.tryShutdown(() => resolve())), graceMs + CUT_MS);
}

/** Enough for sockets to be destroyed. */
const CUT_MS = 1000;

async function within(promise: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, late]);
  clearTimeout(timer);
}
