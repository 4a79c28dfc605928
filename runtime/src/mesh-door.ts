import type { Logger } from "pino";
import type { Registration } from "./handlers.ts";

export interface MeshDoorOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly registrations: readonly Registration[];
  readonly log: Logger;
  /** The largest message in either direction, in bytes. Default 4 MiB. */
  readonly maxMessageBytes?: number;
  /** Items of one stream that are being answered before it is read on. Default 1024. */
  readonly maxItemsInFlight?: number;
  /** Unary calls and server streams that run at the same time; more are answered with OVERLOADED. Default 4096. */
  readonly maxCallsInFlight?: number;
}

/** The gRPC server that other services of the mesh call. NOT_SERVING until `setServing(true)`. */
export interface MeshDoor {
  readonly port: number;
  setServing(serving: boolean): void;
  /** NOT_SERVING, no new calls, up to `graceMs` for those that run, then the end for what is left. */
  close(graceMs: number): Promise<void>;
}

export declare function openMeshDoor(options: MeshDoorOptions): Promise<MeshDoor>;
