import { Writable } from "node:stream";
import { GatewayMeshService } from "@oceanchat/gen/oceanchat/gateway/v1/gateway_mesh_service_pb";
import { type Calls, connectCalls } from "@oceanchat/runtime/calls";
import { createHost } from "@oceanchat/runtime/host";
import type { MeshDoor } from "@oceanchat/runtime/mesh-door";
import { connectPeers, type Peers } from "@oceanchat/runtime/peers";
import { readProcessConfig } from "@oceanchat/runtime/process-config";
import { noTracing } from "@oceanchat/runtime/trace";
import { pino } from "pino";
import { start } from "../../src/main.ts";
import { Arrivals, FakeAuth, FakePresence, FakeRouter, HOST, openDoor, silent } from "./mesh.ts";

/** What the process says when it accepts connections. */
export interface Accepting {
  readonly gatewayId: string;
  readonly address: string;
  readonly wsPort: number;
  readonly tcpPort: number;
}

export const isAccepting = ({ msg }: LogLine): boolean => msg === "accepting connections";
export const acceptingOf = (line: LogLine): Accepting => ({
  gatewayId: String(line.gatewayId),
  address: String(line.address),
  wsPort: Number(line.wsPort),
  tcpPort: Number(line.tcpPort),
});

export type LogLine = { readonly msg: string } & Readonly<Record<string, unknown>>;

/** The services that a gateway calls, as fakes on doors of their own. */
export class Surroundings {
  readonly router = new FakeRouter();
  readonly presence = new FakePresence();
  readonly auth = new FakeAuth();
  readonly #doors: MeshDoor[] = [];

  async open(): Promise<Record<string, string>> {
    const ports = await Promise.all(
      [this.router, this.presence, this.auth].map(async ({ handlers }) => {
        const door = await openDoor(handlers);
        this.#doors.push(door);
        return door.port;
      }),
    );
    const [router, presence, auth] = ports.map((port) => `${HOST}:${port}`);
    return {
      OCEANCHAT_ROUTER_ADDRESSES: router ?? "",
      OCEANCHAT_PRESENCE_ADDRESSES: presence ?? "",
      OCEANCHAT_AUTH_ADDRESSES: auth ?? "",
      OCEANCHAT_LISTEN_HOST: HOST,
      OCEANCHAT_ADVERTISED_HOST: HOST,
      OCEANCHAT_MESH_PORT: "0",
      OCEANCHAT_WS_PORT: "0",
      OCEANCHAT_TCP_PORT: "0",
      OCEANCHAT_GRACE_MS: "200",
      OCEANCHAT_DRAIN_MS: "0",
      OCEANCHAT_INSTANCE: "ws-gateway-7",
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#doors.map((door) => door.close(0)));
  }
}

/** A gateway in this process, its surroundings, and what pushers and others use to call it. */
export class RunningGateway extends Surroundings {
  readonly log = new Arrivals<LogLine>();
  #stop: () => Promise<void> = async () => {};
  #accepting: Accepting | undefined;
  #calls: Calls<typeof GatewayMeshService.method.deliver> | undefined;
  #peers: Peers<typeof GatewayMeshService> | undefined;

  /** `prepare` may change what its surroundings do before it starts. */
  static async start(
    env: Record<string, string> = {},
    prepare: (surroundings: Surroundings) => void = () => undefined,
  ): Promise<RunningGateway> {
    const gateway = new RunningGateway();
    prepare(gateway);
    try {
      await gateway.#start(env);
    } catch (error) {
      await gateway.stop(); // or what it has opened keeps the tests' process from ending
      throw error;
    }
    return gateway;
  }

  async #start(env: Record<string, string>): Promise<void> {
    const full = { ...(await this.open()), ...env };
    const lines = new Writable({
      write: (line: Buffer, _encoding, done) => {
        this.log.add(JSON.parse(line.toString()) as LogLine);
        done();
      },
    });
    const fatal: unknown[] = [];
    const host = createHost({
      service: "ws-gateway",
      env: full,
      config: readProcessConfig(full),
      log: pino({ level: "debug" }, lines),
      tracing: noTracing,
      onFatal: (error) => fatal.push(error),
    });
    this.#stop = async () => {
      this.#calls?.close();
      this.#peers?.close();
      await host.stop();
      await this.close();
      if (fatal.length > 0) throw fatal[0];
    };
    await start(host);
    this.#accepting = acceptingOf(await this.log.find(isAccepting));
    const addresses = { current: () => [this.at.address], close: () => undefined };
    this.#calls = connectCalls({ method: GatewayMeshService.method.deliver, addresses, log: silent });
    this.#peers = connectPeers({ service: GatewayMeshService, addresses, log: silent });
  }

  get at(): Accepting {
    if (this.#accepting === undefined) throw new Error("not started");
    return this.#accepting;
  }

  get deliver() {
    if (this.#calls === undefined) throw new Error("not started");
    return this.#calls;
  }

  get call() {
    if (this.#peers === undefined) throw new Error("not started");
    return this.#peers.call;
  }

  stop(): Promise<void> {
    return this.#stop();
  }
}
