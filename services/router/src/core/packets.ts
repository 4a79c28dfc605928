import {
  create,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type ClientPacket,
  ClientPacketSchema,
  type Error as ErrorEvent,
  ErrorSchema,
  type ServerPacket,
  ServerPacketSchema,
} from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import type { ServiceError } from "@oceanchat/runtime/fail";
import { errors } from "../errors.ts";

/** A packet's command. */
export type ClientCommand = Extract<ClientPacket["command"], { case: string }>;
/** What answers a packet. */
export type ServerEvent = Extract<ServerPacket["event"], { case: string }>;

/** A packet that could be read, or why it couldn't; the request id is 0 when not even that could be found. */
export type Reading =
  | { readonly requestId: number; readonly packet: ClientPacket; readonly command: ClientCommand }
  | { readonly requestId: number; readonly refusal: ServiceError };

/** How much of a text of the client's comes back in an error. */
const QUOTED = 200;
/** Violations that are told; a packet can hold thousands. */
const VIOLATIONS = 20;

/** Reads what came from a socket. Never throws. */
export function readPacket(codec: Codec, payload: Uint8Array): Reading {
  return codec === Codec.JSON ? readJson(payload) : readBinary(payload);
}

function readBinary(payload: Uint8Array): Reading {
  let packet: ClientPacket;
  try {
    packet = fromBinary(ClientPacketSchema, payload);
  } catch (cause) {
    return { requestId: 0, refusal: errors.notAPacket(cause) };
  }
  return withCommand(packet, packet.$unknown?.[0]?.no);
}

function withCommand(packet: ClientPacket, unknownField?: number): Reading {
  const { requestId, command } = packet;
  if (command.case !== undefined) return { requestId, packet, command };
  const refusal = unknownField === undefined ? errors.noCommand() : errors.unknownCommand(`number ${unknownField}`);
  return { requestId, refusal };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function readJson(payload: Uint8Array): Reading {
  let json: JsonValue;
  try {
    json = JSON.parse(utf8.decode(payload)) as JsonValue;
  } catch (cause) {
    return { requestId: 0, refusal: errors.notAPacket(cause) };
  }
  const requestId = requestIdOf(json);
  const unknown = unknownCommandOf(json);
  if (unknown !== undefined) return { requestId, refusal: errors.unknownCommand(unknown.slice(0, QUOTED)) };
  try {
    return withCommand(fromJson(ClientPacketSchema, json));
  } catch (cause) {
    // Says which key or value is wrong; it can't hold more of the packet than its sender knows.
    const text = cause instanceof Error ? cause.message.slice(0, QUOTED) : "";
    return { requestId, refusal: errors.unreadable(text) };
  }
}

const FIELDS = new Set(ClientPacketSchema.fields.flatMap(({ name, jsonName }) => [name, jsonName]));
const REQUEST_ID = ["requestId", "request_id"];

/** What the values of all commands are. */
export const commandSchemas: readonly DescMessage[] = ClientPacketSchema.fields.flatMap(({ oneof, message }) =>
  oneof !== undefined && message !== undefined ? [message] : [],
);

/** What a command's value is. */
export function schemaOf({ case: name }: ClientCommand): DescMessage {
  const { message } = ClientPacketSchema.field[name];
  if (message === undefined) throw new TypeError(`the command ${name} is not a message`);
  return message;
}

/** The first key that no field has, if there is no other command: a command of a later version. */
function unknownCommandOf(json: JsonValue): string | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  const commands = Object.keys(json).filter((key) => !REQUEST_ID.includes(key));
  return commands.some((key) => FIELDS.has(key)) ? undefined : commands[0];
}

/** The request id of a packet that is otherwise unreadable, so that its sender knows which one is meant. */
function requestIdOf(json: JsonValue): number {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return 0;
  const value = Number(json.requestId ?? json.request_id);
  return Number.isInteger(value) && value >= 0 && value <= 0xffffffff ? value : 0;
}

/** Writes an answer in the codec of the packet that it answers. */
export function writePacket(codec: Codec, requestId: number, event: ServerEvent): Uint8Array {
  const packet = create(ServerPacketSchema, { requestId, event });
  if (codec !== Codec.JSON) return toBinary(ServerPacketSchema, packet);
  return new TextEncoder().encode(toJsonString(ServerPacketSchema, packet, { alwaysEmitImplicit: true }));
}

/** An error as the socket tells it. */
export function errorEvent(requestId: number, error: ServiceError): ErrorEvent {
  const { code, reason, domain, message, retryAfterMs, violations } = error;
  const metadata = { ...error.metadata };
  for (const { field, description } of violations.slice(0, VIOLATIONS)) metadata[`field.${field}`] = description;
  const retryAfter = retryAfterMs === undefined ? {} : { retryAfter: durationFromMs(retryAfterMs) };
  return create(ErrorSchema, {
    requestId,
    code,
    reason,
    domain,
    message: message.slice(0, VIOLATIONS * QUOTED),
    metadata,
    ...retryAfter,
  });
}
