import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import type { Addresses } from "@oceanchat/runtime/addresses";
import type { ServiceError } from "@oceanchat/runtime/fail";
import { type Handlers, implement } from "@oceanchat/runtime/handlers";
import { type MeshDoor, type MeshDoorOptions, openMeshDoor } from "@oceanchat/runtime/mesh-door";
import { silentLog } from "@oceanchat/runtime/testing";
import { EchoService } from "./echo_pb.ts";

export type EchoDoor = MeshDoor & { readonly address: string };

/** A mesh door with an EchoService, already serving. */
export async function openEcho(
  handlers: Handlers<typeof EchoService>,
  options: Partial<MeshDoorOptions> = {},
): Promise<EchoDoor> {
  const registrations = [implement(EchoService, handlers)];
  const door = await openMeshDoor({ host: "127.0.0.1", port: 0, registrations, log: silentLog, ...options });
  door.setServing(true);
  return { ...door, address: `127.0.0.1:${door.port}` };
}

/** Addresses that a test may change. */
export function addressesOf(...list: string[]): Addresses & { set(...list: string[]): void } {
  let current: readonly string[] = list;
  return {
    current: () => current,
    set: (...next) => {
      current = next;
    },
    close: () => undefined,
  };
}

/** An address where nothing listens. */
export async function deadAddress(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return `127.0.0.1:${port}`;
}

/** What a rejected call says, without its text. */
export async function reasonOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (thrown: ServiceError) => thrown,
  );
  if (error === undefined) return "no error";
  return error.reason ?? String(error);
}

/** A condition that something else brings about. */
export interface Latch<T = void> {
  readonly promise: Promise<T>;
  open(value: T): void;
}

export function latch<T = void>(): Latch<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { promise, open: resolve };
}
