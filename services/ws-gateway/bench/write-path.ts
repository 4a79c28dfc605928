import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { DeliverRequestSchema } from "@oceanchat/gen/oceanchat/gateway/v1/gateway_mesh_service_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { Counters } from "../src/core/counters.ts";
import { frame, Outgoing } from "../src/core/frames.ts";
import { Newcomers } from "../src/core/newcomers.ts";
import { Registry } from "../src/core/registry.ts";
import { Session, type SessionWorld } from "../src/session.ts";
import { SocketWire } from "../src/socket-wire.ts";
import { WriteTurns } from "../src/write-turns.ts";

// What one frame to one socket costs this process, in µs of CPU. Another process reads.
// node --max-semi-space-size=8 services/ws-gateway/bench/write-path.ts [sockets] [frames per socket]

const HOST = "127.0.0.1";
const SOCKETS = Number(process.argv[2] ?? 1000);
const ROUNDS = Number(process.argv[3] ?? 200);
const PAYLOAD = Buffer.alloc(200, 7);
const REPETITIONS = 3;

class PlainWire extends SocketWire {
  protected override get isOpen(): boolean {
    return this.socket.writable;
  }
  override pause(): void {}
  override resume(): void {}
  override close(): void {}
}

/** The other side of all sockets: reads and throws away. */
async function reader(port: number): Promise<void> {
  for (let i = 0; i < SOCKETS; i++) {
    const socket = connect(port, HOST);
    await once(socket, "connect");
    socket.resume();
  }
  await new Promise(() => undefined);
}

async function accept(): Promise<{ sockets: Socket[]; stop: () => void }> {
  const sockets: Socket[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => undefined);
    sockets.push(socket);
  }).listen(0, HOST);
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const child = spawn(process.execPath, [import.meta.filename, String(SOCKETS), "reader", String(port)], {
    stdio: "inherit",
  });
  while (sockets.length < SOCKETS) await once(server, "connection");
  return {
    sockets,
    stop: () => {
      child.kill();
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function sessionsOf(sockets: readonly Socket[]): { registry: Registry<Session>; wires: PlainWire[] } {
  const limits = {
    packetsPerSecond: 1e6,
    packetsBurst: 1e6,
    bytesPerSecond: 1e9,
    bytesBurst: 1e9,
    packetsInFlight: 64,
    softBufferBytes: 256 * 1024,
    hardBufferBytes: 1024 * 1024,
    stallMs: 10_000,
    idleMs: 300_000,
  };
  const world: SessionWorld = {
    limits,
    counters: new Counters(),
    newcomers: new Newcomers({ atOnce: 64, maxWaitMs: 0, isBusy: () => false, now: () => 0, after: () => undefined }),
    now: () => performance.now(),
    uplink: async () => new Uint8Array(0),
    onLag: () => undefined,
    onEnd: () => undefined,
  };
  const turns = new WriteTurns();
  const registry = new Registry<Session>();
  const wires: PlainWire[] = [];
  for (const [index, socket] of sockets.entries()) {
    const caller = { userId: `u${index}`, sessionId: `s${index}`, deviceId: "d", platform: "" };
    const id = `c_${Buffer.alloc(16, index).toString("base64url")}${index}`;
    const wire = new PlainWire("binary message", socket, turns);
    const session = new Session(world, wire, { id, caller, codec: Codec.BINARY, connectedMs: 0, hello: () => PAYLOAD });
    session.open();
    wires.push(wire);
    registry.add(session);
  }
  return { registry, wires };
}

type Round = () => void;
/** A socket, or what a session writes to. */
type Unsent = { readonly unsentBytes?: number; readonly writableLength?: number };

/** CPU per frame; the rounds are as far apart as it takes until everything is sent. */
async function measure(name: string, unsent: readonly Unsent[], framesPerRound: number, round: Round): Promise<void> {
  const figures: number[] = [];
  for (let repetition = 0; repetition <= REPETITIONS; repetition++) {
    const before = process.cpuUsage();
    for (let i = 0; i < ROUNDS; i++) {
      round();
      do await turn();
      while (unsent.some(({ unsentBytes, writableLength }) => (unsentBytes ?? writableLength ?? 0) > 0));
    }
    const { user, system } = process.cpuUsage(before);
    if (repetition > 0) figures.push((user + system) / (ROUNDS * framesPerRound));
  }
  const [low, middle, high] = figures.sort((a, b) => a - b).map((figure) => figure.toFixed(2));
  process.stdout.write(`${name.padEnd(52)} ${middle} µs per frame  [${low} to ${high}]\n`);
}

async function main(): Promise<void> {
  const { sockets, stop } = await accept();
  const bytes = frame("binary message", PAYLOAD);
  process.stdout.write(`${SOCKETS} sockets, frames of ${bytes.length} bytes, ${ROUNDS} rounds\n`);
  await measure("nothing (the loop of this benchmark)", sockets, SOCKETS, () => undefined);
  await measure("socket.write, no more", sockets, SOCKETS, () => {
    for (const socket of sockets) socket.write(bytes);
  });
  await measure("cork, write, uncork", sockets, SOCKETS, () => {
    for (const socket of sockets) {
      socket.cork();
      socket.write(bytes);
      socket.uncork();
    }
  });
  const { registry, wires } = sessionsOf(sockets);
  await turn();
  const ids = [...registry.all()].map(({ id }) => id);
  const deliver = (payload: Uint8Array, connectionIds: readonly string[]) => {
    const packet = new Outgoing(payload);
    for (const id of connectionIds) registry.get(id)?.deliver(packet, undefined);
  };
  await measure("a gateway's sessions", wires, SOCKETS, () => deliver(PAYLOAD, ids));
  const request = create(DeliverRequestSchema, { items: [{ connectionIds: ids, payload: PAYLOAD }] });
  const encoded = toBinary(DeliverRequestSchema, request);
  await measure("reading the request, no write", wires, SOCKETS, () => void fromBinary(DeliverRequestSchema, encoded));
  await measure("reading the request, and the sessions", wires, SOCKETS, () => {
    for (const { payload, connectionIds } of fromBinary(DeliverRequestSchema, encoded).items)
      deliver(payload, connectionIds);
  });
  await measure("sessions, 4 frames in a turn", wires, 4 * SOCKETS, () => {
    for (let i = 0; i < 4; i++) deliver(PAYLOAD, ids);
  });
  const four = Buffer.alloc(4 * PAYLOAD.length, 7);
  await measure("sessions, 4 records in one frame (per record)", wires, 4 * SOCKETS, () => deliver(four, ids));
  stop();
}

if (process.argv[3] === "reader") await reader(Number(process.argv[4]));
else await main();
