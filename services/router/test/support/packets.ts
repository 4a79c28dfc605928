import { create, fromBinary, fromJsonString, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  ClientPacketSchema,
  type ServerPacket,
  ServerPacketSchema,
} from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { type Uplink, UplinkSchema } from "@oceanchat/gen/oceanchat/router/v1/router_mesh_service_pb";

export const ALICE = "0195f000-0000-7000-8000-00000000000a";
export const BOB = "0195f000-0000-7000-8000-00000000000b";
export const GROUP = "0195f000-0000-7000-8000-0000000000c1";
export const MESSAGE_ID = "0195f000-0000-7000-8000-0000000000d1";

export type Packet = MessageInitShape<typeof ClientPacketSchema>;

/** A good message to a group. */
export const sendToGroup = (requestId: number, text = "hi"): Packet => ({
  requestId,
  command: {
    case: "sendMessage",
    value: {
      target: { case: "groupId", value: GROUP },
      clientMessageId: MESSAGE_ID,
      content: { kind: { case: "text", value: { text } } },
    },
  },
});

/** What a gateway makes of a packet of Alice's. */
export function uplink(payload: Uint8Array, codec: Codec = Codec.BINARY, userId = ALICE): Uplink {
  const connection = { connectionId: "c_1", gatewayId: "g-1", sessionId: "s-1", deviceId: "d-1" };
  return create(UplinkSchema, { ...connection, userId, codec, payload });
}

export const binary = (packet: Packet): Uint8Array => toBinary(ClientPacketSchema, create(ClientPacketSchema, packet));
export const json = (packet: Packet): Uint8Array =>
  text(toJsonString(ClientPacketSchema, create(ClientPacketSchema, packet)));
export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export function readAnswer(payload: Uint8Array, codec: Codec = Codec.BINARY): ServerPacket {
  if (codec !== Codec.JSON) return fromBinary(ServerPacketSchema, payload);
  return fromJsonString(ServerPacketSchema, new TextDecoder().decode(payload));
}

/** The error that a packet was answered with; throws when it was answered with anything else. */
export function errorOf(payload: Uint8Array, codec: Codec = Codec.BINARY) {
  const { event, requestId } = readAnswer(payload, codec);
  if (event.case !== "error") throw new Error(`answered with ${event.case ?? "nothing"}`);
  if (event.value.requestId !== requestId) throw new Error("the error names another request");
  return event.value;
}
