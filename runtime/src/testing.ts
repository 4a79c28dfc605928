import assert from "node:assert/strict";
import { pino } from "pino";
import { type AddressSource, parseAddresses } from "./addresses.ts";
import type { Delivered } from "./bus-types.ts";
import type { Env } from "./config.ts";
import { ServiceError } from "./fail.ts";
import type { Registration } from "./handlers.ts";
import { createHost, type RunningHost, type Served, type Start } from "./host.ts";
import { type MeshDoor, openMeshDoor } from "./mesh-door.ts";
import { readProcessConfig } from "./process-config.ts";
import { noTracing } from "./trace.ts";

/** A service that a test runs in its own process, on free ports of the loopback address. */
export interface RunningService {
  readonly host: RunningHost;
  readonly served: Served;
  /** For `host.peers` and `host.calls` of whoever calls it. */
  readonly mesh: AddressSource;
}

/** For what needs a log that nobody reads. */
export const silentLog = pino({ level: "silent" });

/** A host for tests: silent unless OCEANCHAT_LOG_LEVEL says otherwise. */
export function testHost(service: string, env: Env = {}): RunningHost {
  const full: Env = {
    OCEANCHAT_LISTEN_HOST: "127.0.0.1",
    OCEANCHAT_PUBLIC_PORT: "0",
    OCEANCHAT_MESH_PORT: "0",
    OCEANCHAT_LOG_LEVEL: "silent",
    OCEANCHAT_GRACE_MS: "1000",
    ...env,
  };
  const config = readProcessConfig(full);
  const onFatal = (error: unknown) => {
    throw error;
  };
  return createHost({ service, env: full, config, log: pino({ level: config.logLevel }), tracing: noTracing, onFatal });
}

/** Starts a service; end it with `host.stop()`. */
export async function startService(service: string, start: Start, env: Env = {}): Promise<RunningService> {
  const host = testHost(service, env);
  let served: Served | undefined;
  const serve: RunningHost["serve"] = async (doors) => {
    served = await host.serve(doors);
    return served;
  };
  try {
    await start({ ...host, serve });
    if (served === undefined) throw new Error(`${service} opened no door`);
  } catch (error) {
    await host.stop(); // else what it had opened keeps the test's process alive
    throw error;
  }
  return { host, served, mesh: parseAddresses(`127.0.0.1:${served.meshPort}`) };
}

/** Checks that something is refused for a reason, named without its prefix. */
export async function refused(what: Promise<unknown>, reason: string): Promise<ServiceError> {
  const thrown = await what.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof ServiceError, `expected ${reason}, got ${String(thrown)}`);
  assert.equal(thrown.reason, `ERROR_REASON_${reason}`);
  return thrown;
}

/** A mesh door of the loopback address that serves: a stand-in for another service. */
export async function openTestDoor(registrations: readonly Registration[], port = 0): Promise<MeshDoor> {
  const door = await openMeshDoor({ host: "127.0.0.1", port, registrations, log: silentLog });
  door.setServing(true);
  return door;
}

/** A message as a consumer is given it. */
export function delivered(sequence: number, data: Uint8Array, change: Partial<Delivered> = {}): Delivered {
  return {
    sequence,
    subject: "log.0.c.x",
    data,
    time: new Date(0),
    messageId: undefined,
    traceparent: "",
    header: () => undefined,
    deliveries: 1,
    attempts: 0,
    ...change,
  };
}
