import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, type TLSSocket } from "node:tls";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ClientPacketSchema, ServerPacketSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { type AttackWorld, OFFENDER_ADDRESS, readAll, STILL_OPEN } from "./attack.ts";

const PREFIX = 4;

/** Opens TLS on the edge's TCP port, and says nothing yet. */
export async function openTls({ target }: AttackWorld): Promise<TLSSocket> {
  const [host = "", port] = target.tcp.split(":");
  const socket = connect({
    ...{ host, port: Number(port), localAddress: OFFENDER_ADDRESS, servername: "localhost" },
    ca: await readFile(target.certificate),
    ALPNProtocols: ["oceanchat.tcp.v1"],
  });
  socket.on("error", () => undefined);
  await once(socket, "secureConnect");
  return socket;
}

/** The first packet of a TCP connection, with its length before it. */
export function connectFrame(accessToken: string): Buffer {
  const command = { case: "connect" as const, value: { accessToken, codec: Codec.BINARY } };
  const packet = toBinary(ClientPacketSchema, create(ClientPacketSchema, { command }));
  const prefix = Buffer.alloc(PREFIX);
  prefix.writeUInt32BE(packet.length);
  return Buffer.concat([prefix, packet]);
}

/** What the last packet says before the other side ends: an error's reason, or the code of a `go_away`. */
export async function lastWords(socket: TLSSocket): Promise<string> {
  const read = await readAll(socket);
  if (read === undefined) return STILL_OPEN;
  let last = "closed";
  for (let at = 0; at + PREFIX <= read.length; at += PREFIX + read.readUInt32BE(at)) {
    last = wordsOf(read.subarray(at + PREFIX, at + PREFIX + read.readUInt32BE(at)));
  }
  return last;
}

function wordsOf(bytes: Buffer): string {
  const { event } = fromBinary(ServerPacketSchema, bytes);
  if (event.case === "error") return event.value.reason;
  if (event.case === "goAway") return `go_away ${event.value.reason.slice(0, 4)}`;
  return event.case ?? "nothing";
}
