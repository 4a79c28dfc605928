import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { fromBinary } from "@bufbuild/protobuf";
import { ServerPacketSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { maskedFrame, openSocket, placeOf, RawWebSocket, upgradeRequest } from "../raw-clients/raw-websocket.ts";
import { FLOODS, VIOLATIONS } from "../raw-clients/violations.ts";
import { installation } from "../support/shared-installation.ts";
import type { TestSocket } from "../support/socket.ts";
import { directId, TestUser, textTo } from "../support/user.ts";

/** What a user may send in all, and at once (the installation's defaults). */
const PER_SECOND = 100;
const BURST = 200;

/** Two who write to each other while somebody else abuses the edge. */
class Bystanders {
  readonly #from: TestSocket;
  readonly #to: TestSocket;
  readonly #conversationId: string;
  readonly #waitedMs: number[] = [];
  #stopped = false;
  readonly #running: Promise<void>;

  private constructor(from: TestSocket, to: TestSocket, conversationId: string) {
    this.#from = from;
    this.#to = to;
    this.#conversationId = conversationId;
    this.#running = this.#run();
  }

  static async start(a: TestUser, b: TestUser): Promise<Bystanders> {
    return new Bystanders(await a.connect(), await b.connect(), directId(a.userId, b.userId));
  }

  /** Every message has come; gives the 99th percentile of how long that took, in milliseconds. */
  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#running;
    await Promise.all([this.#from.close(), this.#to.close()]);
    const sorted = this.#waitedMs.toSorted((x, y) => x - y);
    assert.ok(sorted.length > 0);
    return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const sentMs = performance.now();
      const command = textTo(this.#conversationId, "undisturbed");
      const { recordId } = await this.#from.ask(command, "messageAccepted");
      await this.#to.untilRecord((record) => record.recordId === recordId);
      this.#waitedMs.push(performance.now() - sentMs);
      await setTimeout(20);
    }
  }
}

describe("abuse through the edge", function () {
  this.timeout(60_000);
  let users: [TestUser, TestUser, TestUser];
  let bystanders: Bystanders;

  before(async () => {
    const { at } = installation();
    const register = (name: string) => TestUser.register(at, name);
    users = [await register("alice"), await register("bob"), await register("mallory")];
  });
  beforeEach(async () => {
    bystanders = await Bystanders.start(users[0], users[1]);
  });

  /** A test whose title tells how long others waited meanwhile. */
  const attack = (title: string, run: () => Promise<void>) =>
    it(title, async function () {
      await run().finally(async () => {
        const p99Ms = await bystanders.stop();
        if (this.test !== undefined) this.test.title += ` [others' messages take ${p99Ms.toFixed(0)} ms at p99]`;
      });
    });

  attack("holds a user to his rate over ten connections to all gateways, exactly, and says so", async () => {
    const devices: TestUser[] = [];
    for (let i = 0; i < 10; i++) devices.push(await users[2].login());
    const sockets = await Promise.all(devices.map((device) => device.connect()));
    assert.equal(new Set(sockets.map(({ hello }) => hello.gatewayId)).size, installation().at.gateways);
    const startMs = performance.now();
    for (let round = 1; round <= 200; round++) {
      for (const socket of sockets) {
        socket.send({ case: "typing", value: { conversationId: `g_${users[2].userId}`, active: true } }, round);
      }
      await setTimeout(Math.max(0, startMs + round * 10 - performance.now()));
    }
    await Promise.all(sockets.map((socket) => socket.until(({ requestId }) => requestId === 200)));
    const answered = () => sockets.flatMap(({ packets }) => packets.filter(({ requestId }) => requestId > 0));
    while (answered().length < 2_000) await setTimeout(20);
    const seconds = (performance.now() - startMs) / 1000;
    const refused = answered().filter(
      ({ event }) => event.case === "error" && event.value.reason === "ERROR_REASON_RATE_LIMITED",
    );
    for (const { event } of refused) assert.ok(event.case === "error" && event.value.retryAfter !== undefined);
    const taken = 2_000 - refused.length;
    // The bucket fills from the first packet to the last, which is somewhere in these seconds.
    assert.ok(taken >= BURST && taken <= BURST + PER_SECOND * seconds + 1, `${taken} in ${seconds} s`);
    await Promise.all(sockets.map((socket) => socket.close()));
  });

  attack("closes whoever breaks the protocol with the code that says so", async () => {
    const { ws } = installation().at;
    for (const { what, bytes, code } of [...VIOLATIONS, ...FLOODS]) {
      assert.equal(await closeCodeAfter(ws, upgradeRequest(users[2].token), bytes), code, what);
    }
    const json = upgradeRequest(users[2].token, "oceanchat.v1.json");
    assert.equal(await closeCodeAfter(ws, json, maskedFrame(0x81, Buffer.of(0xc3, 0x28))), 1007);
    assert.equal(await closeCodeAfter(ws, json, maskedFrame(0x82, Buffer.from("{}"))), 4400);
  });

  attack("ends whoever connects and waits: in his headers, and on TCP before or in the first frame", async () => {
    const { endpoints } = installation().mesh;
    const inHeaders = await openSocket(placeOf(endpoints.edge));
    inHeaders.write(upgradeRequest(users[2].token).slice(0, 60));
    const answer: Buffer[] = [];
    inHeaders.on("data", (chunk: Buffer) => void answer.push(chunk));
    const [silent, half] = [await openTcp(), await openTcp()];
    half.write(Buffer.of(0, 0));
    const refusals = await Promise.all([silent, half].map(errorOf));
    assert.deepEqual(refusals, ["ERROR_REASON_TOKEN_INVALID", "ERROR_REASON_TOKEN_INVALID"]);
    await once(inHeaders, "close");
    assert.match(Buffer.concat(answer).toString(), /^HTTP\/1\.1 408 /);
  });

  attack("survives connections that are reset by the hundred", async () => {
    const { ws } = installation().at;
    const reset = async (bytes: string, answered: boolean) => {
      const socket = await openSocket(placeOf(ws));
      if (bytes !== "") socket.write(bytes);
      if (answered) await Promise.race([once(socket, "data"), once(socket, "close")]);
      socket.resetAndDestroy();
    };
    const request = upgradeRequest(users[2].token);
    for (let round = 0; round < 5; round++) {
      const storm = Array.from({ length: 25 }, () => [reset("", false), reset(request, false), reset(request, true)]);
      await Promise.all(storm.flat());
    }
    // The edge's limit of upgrades for this address has room again.
    await setTimeout(2_000);
    const socket = await users[2].connect();
    await socket.close();
  });
});

/** Upgrades, writes bytes, and gives the code of the close frame that comes back. */
async function closeCodeAfter(url: string, request: string, bytes: Uint8Array): Promise<number | undefined> {
  const client = await RawWebSocket.open(placeOf(url), request);
  client.write(bytes);
  return client.closeCode;
}

async function openTcp(): Promise<TLSSocket> {
  const { tcp, certificate } = installation().mesh.endpoints;
  const [host = "", port] = tcp.split(":");
  const ca = await readFile(certificate);
  const socket = connectTls({
    host,
    port: Number(port),
    ca,
    servername: "localhost",
    ALPNProtocols: ["oceanchat.tcp.v1"],
  });
  socket.on("error", () => undefined);
  await once(socket, "secureConnect");
  return socket;
}

/** The reason in the only packet that comes. */
async function errorOf(socket: TLSSocket): Promise<string> {
  const read: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => void read.push(chunk));
  await once(socket, "close");
  const { event } = fromBinary(ServerPacketSchema, Buffer.concat(read).subarray(4));
  return event.case === "error" ? event.value.reason : String(event.case);
}
