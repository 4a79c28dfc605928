import { EventEmitter, once } from "node:events";
import { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import { type GatewayReport, PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { RouterMeshService, type Uplink } from "@oceanchat/gen/oceanchat/router/v1/router_mesh_service_pb";
import { type Handlers, implement, type Registration, type ResponseItemInit } from "@oceanchat/runtime/handlers";
import { type MeshDoor, openMeshDoor } from "@oceanchat/runtime/mesh-door";
import { pino } from "pino";
import { signingKey } from "./tokens.ts";

export const HOST = "127.0.0.1";
export const silent = pino({ level: "silent" });

export async function openDoor(registration: Registration, port = 0): Promise<MeshDoor> {
  const door = await openMeshDoor({ host: HOST, port, registrations: [registration], log: silent });
  door.setServing(true);
  return door;
}

/** What arrived, and a way to wait for it. */
export class Arrivals<T> {
  readonly all: T[] = [];
  readonly #events = new EventEmitter();

  add(item: T): void {
    this.all.push(item);
    this.#events.emit("arrival");
  }

  /** The first that is as wanted, once it is there. */
  async find(wanted: (item: T) => boolean): Promise<T> {
    for (;;) {
      const found = this.all.find(wanted);
      if (found !== undefined) return found;
      await once(this.#events, "arrival");
    }
  }

  /** Resolves when there are so many. */
  async count(number: number): Promise<void> {
    while (this.all.length < number) await once(this.#events, "arrival");
  }
}

type Exchange = NonNullable<Handlers<typeof RouterMeshService>["exchange"]>;
type Report = NonNullable<Handlers<typeof PresenceMeshService>["report"]>;

type ReportAnswer = ResponseItemInit<typeof PresenceMeshService.method.report>;

/** A router that answers every packet with its own bytes, unless told otherwise. */
export class FakeRouter {
  readonly uplinks = new Arrivals<Uplink>();
  answer: Exchange = ({ payload }) => ({ payload });
  limits = { maxTextBytes: 8192, packetsPerSecond: 100, packetsBurst: 200, maxMentions: 50 };
  readonly handlers: Registration = implement(RouterMeshService, {
    getLimits: () => ({ limits: this.limits }),
    exchange: (uplink, context) => {
      this.uplinks.add(uplink);
      return this.answer(uplink, context);
    },
  });
}

/** A presence that takes everything, unless told otherwise. */
export class FakePresence {
  readonly reports = new Arrivals<GatewayReport>();
  answer: (report: GatewayReport) => ReportAnswer | Promise<ReportAnswer> = () => ({});
  readonly #report: Report = (report) => {
    this.reports.add(report);
    return this.answer(report);
  };
  readonly handlers: Registration = implement(PresenceMeshService, { report: this.#report });

  /** The reports of one kind. */
  of<K extends "connected" | "disconnected" | "lease">(kind: K) {
    return this.reports.all.filter(({ event }) => event.case === kind);
  }
}

/** An auth in which every session lives, except the dead ones. */
export class FakeAuth {
  readonly dead = new Set<string>();
  readonly asked = new Arrivals<readonly string[]>();
  /** What the answer about sessions waits for. */
  sessionsReady: () => Promise<void> = async () => {};
  /** What the keys wait for. */
  keysReady: Promise<void> = Promise.resolve();
  readonly handlers: Registration = implement(AuthMeshService, {
    getSigningKeys: async () => {
      await this.keysReady;
      return { keys: [signingKey] };
    },
    getSessions: async ({ sessionIds }) => {
      this.asked.add(sessionIds);
      await this.sessionsReady();
      return { liveSessionIds: sessionIds.filter((id) => !this.dead.has(id)) };
    },
  });
}
