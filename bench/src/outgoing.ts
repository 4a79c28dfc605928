import { create, toBinary } from "@bufbuild/protobuf";
import { ClientPacketSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { clientFrame } from "./frames.ts";
import type { MessageIds } from "./message-ids.ts";

/** The greatest request id that takes five bytes, always: the templates' ids all have the same length. */
const FIRST_REQUEST_ID = 2 ** 28;

/** The request id of a message. 32 bits, of which the templates use the values that take five bytes. */
export const requestIdOf = (message: number): number => FIRST_REQUEST_ID + message;
/** The message that a request id stands for. */
export const messageOf = (requestId: number): number => requestId - FIRST_REQUEST_ID;

const REQUEST_ID_BYTES = 5;

/** Frames that send messages to one conversation: encoded once, and copied with another request id and client message id. */
export class SendTemplate {
  readonly #ids: MessageIds;
  readonly #frame: Buffer;
  readonly #requestIdAt: number;
  readonly #messageIdAt: number;

  constructor(conversationId: string, textBytes: number, ids: MessageIds) {
    this.#ids = ids;
    const content = { kind: { case: "text" as const, value: { text: "x".repeat(textBytes) } } };
    const target = { case: "conversationId" as const, value: conversationId };
    const packet = create(ClientPacketSchema, {
      requestId: requestIdOf(0),
      command: { case: "sendMessage", value: { target, clientMessageId: ids.of(0), content } },
    });
    const bytes = toBinary(ClientPacketSchema, packet);
    const { frame, at } = clientFrame(bytes.length);
    frame.set(bytes, at);
    this.#frame = frame;
    this.#requestIdAt = at + 1;
    this.#messageIdAt = frame.indexOf(ids.of(0), at, "latin1");
  }

  /** The frame for a message. */
  frame(message: number): Buffer {
    const frame = Buffer.allocUnsafe(this.#frame.length);
    this.#frame.copy(frame);
    let rest = requestIdOf(message);
    for (let index = 0; index < REQUEST_ID_BYTES; index++) {
      frame[this.#requestIdAt + index] = index < REQUEST_ID_BYTES - 1 ? (rest & 0x7f) | 0x80 : rest & 0x7f;
      rest = Math.floor(rest / 128);
    }
    this.#ids.writeNumber(frame, this.#messageIdAt, message);
    return frame;
  }
}
