import { type DescMessage, type DescMethod, type Message, toBinary } from "@bufbuild/protobuf";
import type { ChannelOptions } from "@grpc/grpc-js";

/** The largest message on the mesh in either direction, in bytes, unless a door is told otherwise. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** Bytes go through grpc-js untouched: both ends code and decode themselves, so that a bad message gets a typed error. */
export const asIs = (bytes: Buffer): Buffer => bytes;

/** The path of a method in HTTP/2. */
export const pathOf = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;

/** A message as grpc-js writes it. */
export function encode(schema: DescMessage, message: Message): Buffer {
  const bytes = toBinary(schema, message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Options of both ends of a connection. A peer that is silently gone is noticed within 15 s. */
export function transportOptions(maxMessageBytes: number): ChannelOptions {
  return {
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 5_000,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.max_send_message_length": maxMessageBytes,
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.enable_channelz": 0,
  };
}
