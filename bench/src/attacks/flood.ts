import { setTimeout as sleep } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ClientPacketSchema, ServerPacketSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { Connection, type ConnectionSink, ReadBuffer } from "../connection.ts";
import type { User } from "../users.ts";
import { type Attack, type AttackWorld, OFFENDER_ADDRESS } from "./attack.ts";

const CONNECTIONS = 10;
const PER_SECOND = 1_000;
const ROUND_MS = (CONNECTIONS * 1000) / PER_SECOND;
const HELLO_MS = 10_000;
/** Less than the rest between two times: the next ones would replace those that still wait. */
const ANSWERS_MS = 1_000;

/** One of the connections; counts what each of its packets is answered. */
class Flooder implements ConnectionSink {
  readonly #world: AttackWorld;
  readonly #hello = Promise.withResolvers<void>();
  readonly #typing: (requestId: number) => Uint8Array;
  #connection: Connection | undefined;
  #sent = 0;
  answered = 0;

  constructor(world: AttackWorld, { userId }: User) {
    this.#world = world;
    const command = { case: "typing" as const, value: { conversationId: `g_${userId}`, active: true } };
    this.#typing = (requestId) => toBinary(ClientPacketSchema, create(ClientPacketSchema, { requestId, command }));
  }

  async open(token: string): Promise<this> {
    const dial = { url: this.#world.target.ws, token, localAddress: OFFENDER_ADDRESS };
    this.#connection = await Connection.open(dial, new ReadBuffer(), this);
    const late = setTimeout(() => this.#hello.reject(new Error("no hello")), HELLO_MS);
    await this.#hello.promise.finally(() => clearTimeout(late));
    return this;
  }

  get isAnswered(): boolean {
    return this.answered >= this.#sent;
  }

  send(): void {
    this.#connection?.send(this.#typing(++this.#sent));
  }

  close(): void {
    this.#connection?.close();
  }

  packet(_connection: Connection, bytes: Buffer, start: number, end: number): void {
    const { event, requestId } = fromBinary(ServerPacketSchema, bytes.subarray(start, end));
    if (event.case === "hello") this.#hello.resolve();
    if (requestId === 0) return;
    this.answered += 1;
    this.#world.outcomes.add(event.case === "error" ? event.value.reason : (event.case ?? "nothing"));
  }

  closed(_connection: Connection, why: string): void {
    this.#world.outcomes.add(`close ${why}`);
    this.#hello.reject(new Error(why));
  }
}

/** One user over ten connections. */
export const flood: Attack = {
  name: "flood",
  title: `one user sends ${PER_SECOND} packets/s over ${CONNECTIONS} connections`,
  // The first of them says that it was taken: nobody is a member of that group.
  expected: ["ERROR_REASON_NOT_A_MEMBER", "ERROR_REASON_RATE_LIMITED"],
  run: async (world, ms) => {
    const devices = world.offenders.devices.slice(0, CONNECTIONS);
    const began = performance.now();
    const flooders = await Promise.all(devices.map((device) => new Flooder(world, device).open(device.token)));
    for (let next = performance.now(); performance.now() < began + ms; next += ROUND_MS) {
      await sleep(Math.max(0, next - performance.now()));
      for (const flooder of flooders) flooder.send();
    }
    const until = performance.now() + ANSWERS_MS;
    while (performance.now() < until && !flooders.every((flooder) => flooder.isAnswered)) await sleep(50);
    for (const flooder of flooders) {
      if (!flooder.isAnswered) world.outcomes.add("unanswered");
      flooder.close();
    }
  },
};
