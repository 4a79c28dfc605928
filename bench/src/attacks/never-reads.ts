import { setTimeout as sleep } from "node:timers/promises";
import { fromBinary } from "@bufbuild/protobuf";
import { GatewayMeshService } from "@oceanchat/gen/oceanchat/gateway/v1/gateway_mesh_service_pb";
import { ServerPacketSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { connectCalls } from "@oceanchat/runtime/calls";
import { type Place, placeOf, RawWebSocket, upgradeRequest } from "@oceanchat/tests/raw-clients/raw-websocket";
import { pino } from "pino";
import { clientFrame, FrameReader, type FrameSink } from "../frames.ts";
import type { User } from "../users.ts";
import { type Attack, type AttackWorld, closedWith, edgeOf, OFFENDER_ADDRESS, STILL_OPEN, untilEnd } from "./attack.ts";
import type { AttackName } from "./names.ts";

const OFFENDERS = 10;
/** Each of them is sent so much: the network's buffers on the way take 4 MB at each hop before anything is left to the gateway. */
const BYTES_PER_SECOND = 4_000_000;
const PACKET = Buffer.alloc(32_000);
const EVERY_MS = (PACKET.length * 1000) / BYTES_PER_SECOND;
/** After this they read again, to see whether they were closed: the gateway gives them so long (OCEANCHAT_STALL_MS) and 5 s to see it. */
const LOOK_AFTER_MS = 6_000;
const HELLO_MS = 10_000;
const BEAT_MS = 1_000;
const HEARTBEAT = clientFrame(0).frame;

/** A client that reads `hello` and nothing after that. */
class Deaf implements FrameSink {
  readonly #hello = Promise.withResolvers<string>();
  readonly #frames = new FrameReader(this);
  readonly #socket: Promise<RawWebSocket>;
  #isKnown = false;

  constructor(place: Place, { token }: User) {
    this.#socket = RawWebSocket.open(place, upgradeRequest(token), (bytes) => {
      // What it is sent later is no packet.
      if (!this.#isKnown) this.#frames.push(bytes, 0, bytes.length);
    });
  }

  /** Gives the connection's id, and has stopped reading then. */
  async open(): Promise<string> {
    const { socket } = await this.#socket;
    const late = setTimeout(() => this.#hello.reject(new Error("no hello")), HELLO_MS);
    const connectionId = await this.#hello.promise.finally(() => clearTimeout(late));
    socket.pause();
    return connectionId;
  }

  /** He lives: an empty frame, so that he is not taken for gone. */
  async heartbeat(): Promise<void> {
    (await this.#socket).write(HEARTBEAT);
  }

  /** Reads all that there is, up to the close frame. */
  async look(): Promise<string> {
    const { socket, closeCode } = await this.#socket;
    socket.resume();
    return (await untilEnd(socket)) ? closedWith(await closeCode) : STILL_OPEN;
  }

  message(bytes: Buffer, start: number, end: number): void {
    if (this.#isKnown) return;
    const { event } = fromBinary(ServerPacketSchema, bytes.subarray(start, end));
    this.#isKnown = true;
    if (event.case === "hello") this.#hello.resolve(event.value.connectionId);
    else this.#hello.reject(new Error(`${event.case} rather than hello`));
  }

  closing(code: number): void {
    this.#hello.reject(new Error(`closed with ${code} before hello`));
  }

  ping(): void {}
}

/** Sends bytes to connections, as a pusher does, for so long. */
async function push({ target }: AttackWorld, connectionIds: readonly string[], ms: number): Promise<void> {
  const log = pino({ level: "silent" });
  const gateways = target.gatewayMeshes.map((address) =>
    connectCalls({
      method: GatewayMeshService.method.deliver,
      addresses: { current: () => [address], close: () => undefined },
      log,
    }),
  );
  const until = performance.now() + ms;
  // With a hint that may stand in for it, as for records: what is too much is not dropped but told later.
  const delivery = { connectionIds: [...connectionIds], payload: PACKET, hint: Buffer.alloc(30), hintKey: "x" };
  try {
    for (let next = performance.now(); performance.now() < until; next += EVERY_MS) {
      await sleep(Math.max(0, next - performance.now()));
      await Promise.all(gateways.map((gateway) => gateway.call(delivery)));
    }
  } finally {
    for (const gateway of gateways) gateway.close();
  }
}

const neverReads = (name: AttackName, where: string, at: (world: AttackWorld, n: number) => Place): Attack => ({
  name,
  title: `${OFFENDERS} read nothing of ${BYTES_PER_SECOND / 1e6} MB/s each, ${where}`,
  expected: ["close 1013"],
  run: async (world, ms) => {
    const began = performance.now();
    const clients = Array.from({ length: OFFENDERS }, (_, n) => new Deaf(at(world, n), world.offenders.next()));
    const ids = await Promise.all(clients.map((client) => client.open()));
    const beating = setInterval(() => void Promise.all(clients.map((client) => client.heartbeat())), BEAT_MS);
    await push(world, ids, ms);
    await sleep(Math.max(0, began + LOOK_AFTER_MS - performance.now()));
    clearInterval(beating);
    for (const outcome of await Promise.all(clients.map((client) => client.look()))) world.outcomes.add(outcome);
  },
});

export const neverReadsAtGateway = neverReads("never-reads", "straight from a gateway", ({ target }, n) => ({
  ...placeOf(target.gateways[n % target.gateways.length] ?? ""),
  localAddress: OFFENDER_ADDRESS,
}));
export const neverReadsThroughEdge = neverReads("never-reads-edge", "through the edge", edgeOf);
