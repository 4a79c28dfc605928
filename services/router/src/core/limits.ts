import type { Uplink } from "@oceanchat/gen/oceanchat/router/v1/router_mesh_service_pb";
import { Limiter, type Rate } from "./limiter.ts";

export interface LimitsOptions {
  readonly packetsPerSecond: number;
  readonly packetsBurst: number;
  /** 0: programs are counted as everybody is. */
  readonly serverPacketsPerSecond: number;
  /** 0: twice their packets per second. */
  readonly serverPacketsBurst: number;
  /** Users that are remembered, of each class. */
  readonly maxUsers: number;
}

/** The `plat` claim of programs. */
const SERVER = "PLATFORM_SERVER";

/** How fast users may send, by the class of their clients. */
export class Limits {
  readonly ofUsers: Rate;
  /** Of platforms that have a rate of their own. */
  readonly ofPlatforms: ReadonlyMap<string, Rate>;
  readonly #users: Limiter;
  readonly #platforms: ReadonlyMap<string, Limiter>;

  constructor(options: LimitsOptions) {
    const { serverPacketsPerSecond: perSecond, serverPacketsBurst, maxUsers } = options;
    this.ofUsers = { perSecond: options.packetsPerSecond, burst: options.packetsBurst };
    const burst = serverPacketsBurst === 0 ? 2 * perSecond : serverPacketsBurst;
    this.ofPlatforms = new Map(perSecond === 0 ? [] : [[SERVER, { perSecond, burst }]]);
    this.#users = new Limiter(this.ofUsers, maxUsers);
    this.#platforms = new Map([...this.ofPlatforms].map(([name, rate]) => [name, new Limiter(rate, maxUsers)]));
  }

  /** Takes one packet: 0 when it may pass, otherwise in how many milliseconds one may. */
  take({ userId, platform }: Pick<Uplink, "userId" | "platform">, nowMs: number): number {
    return (this.#platforms.get(platform) ?? this.#users).take(userId, nowMs);
  }
}
