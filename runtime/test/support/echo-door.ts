import { type Handlers, implement } from "@oceanchat/runtime/handlers";
import { type MeshDoor, type MeshDoorOptions, openMeshDoor } from "@oceanchat/runtime/mesh-door";
import pino from "pino";
import { EchoService } from "./echo_pb.ts";

/** Says nothing: the tests look at what callers see. */
export const silent = pino({ level: "silent" });

/** A mesh door with an EchoService, already serving. */
export async function openEcho(
  handlers: Handlers<typeof EchoService>,
  options: Partial<MeshDoorOptions> = {},
): Promise<MeshDoor & { readonly address: string }> {
  const registrations = [implement(EchoService, handlers)];
  const door = await openMeshDoor({ host: "127.0.0.1", port: 0, registrations, log: silent, ...options });
  door.setServing(true);
  return { ...door, address: `127.0.0.1:${door.port}` };
}
