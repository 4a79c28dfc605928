import { create, fromBinary, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  ClientPacketSchema,
  type Connect,
  type Limits,
  LimitsSchema,
  ServerPacketSchema,
} from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { type ServiceError, shared } from "@oceanchat/runtime/fail";
import { type Closing, mayReconnect } from "./closing.ts";

type Event = NonNullable<MessageInitShape<typeof ServerPacketSchema>["event"]>;

/** The largest frame that a client may send. */
export const MAX_FRAME_BYTES = 64 * 1024;
/** Those who may connect again at once are asked to wait this long, so that a reason that lasts makes no storm. */
const RECONNECT_MS = 1_000;

function write(codec: Codec, event: Event): Uint8Array {
  const packet = create(ServerPacketSchema, { event });
  if (codec !== Codec.JSON) return toBinary(ServerPacketSchema, packet);
  return Buffer.from(toJsonString(ServerPacketSchema, packet, { alwaysEmitImplicit: true }));
}

/** What the first packet says. */
export interface Greeting {
  readonly connectionId: string;
  readonly gatewayId: string;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  readonly heartbeatMs: number;
  /** What is known of the limits behind the gateway. */
  readonly limits: Limits | undefined;
}

export function helloPacket(codec: Codec, greeting: Greeting): Uint8Array {
  const { connectionId, gatewayId, limits } = greeting;
  const value = {
    connectionId,
    gatewayId,
    serverTime: timestampFromMs(greeting.nowMs),
    heartbeatInterval: durationFromMs(greeting.heartbeatMs),
    limits: { ...(limits ?? create(LimitsSchema)), maxFrameBytes: MAX_FRAME_BYTES },
  };
  return write(codec, { case: "hello", value });
}

/** Announces that a connection will be closed. */
export function goAwayPacket(codec: Codec, reason: string, reconnectAfterMs: number | undefined): Uint8Array {
  const reconnectAfter = reconnectAfterMs === undefined ? {} : { reconnectAfter: durationFromMs(reconnectAfterMs) };
  return write(codec, { case: "goAway", value: { reason, ...reconnectAfter } });
}

/** TCP has no close codes: the last packet before the end of the stream says the code and the reason. */
export function lastPacket(codec: Codec, closing: Closing): Uint8Array {
  const reason = `${closing.code} ${closing.reason}`;
  return goAwayPacket(codec, reason, mayReconnect(closing) ? RECONNECT_MS : undefined);
}

/** An error of the gateway's own. It doesn't look into packets, so it can't say which one is meant. */
export function errorPacket(codec: Codec, error: ServiceError): Uint8Array {
  const { code, reason, domain, message, metadata, retryAfterMs } = error;
  const retryAfter = retryAfterMs === undefined ? {} : { retryAfter: durationFromMs(retryAfterMs) };
  return write(codec, {
    case: "error",
    value: { code, reason, domain, message, metadata: { ...metadata }, ...retryAfter },
  });
}

/** Reads the first frame of a TCP connection, the only packet that the gateway reads. */
export function readConnect(payload: Uint8Array): Connect {
  let command: ReturnType<typeof fromBinary<typeof ClientPacketSchema>>["command"];
  try {
    ({ command } = fromBinary(ClientPacketSchema, payload));
  } catch (cause) {
    throw shared.malformed("the first frame is not a packet", cause);
  }
  if (command.case !== "connect") throw shared.malformed("the first packet must be connect");
  return command.value;
}
