import { maskedFrame } from "./raw-websocket.ts";

const TEXT = 0x81;
const BINARY = 0x82;
const FIRST_FRAGMENT = 0x02;
const CONTINUATION = 0x00;
const CLOSE = 0x88;
const PING = 0x89;
const PONG = 0x8a;

/** What no client of a binary connection should write, and the code that it is closed with. */
export interface Violation {
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly code: number;
}

const continued = (pieces: number, piece: Uint8Array): Buffer =>
  Buffer.concat([
    maskedFrame(FIRST_FRAGMENT, piece),
    ...Array.from({ length: pieces }, () => maskedFrame(CONTINUATION, piece)),
  ]);

const flood = (first: number, payload?: Uint8Array): Buffer =>
  Buffer.concat(Array.from({ length: 20_000 }, () => maskedFrame(first, payload)));

const byte = Buffer.of(1);

export const UNMASKED: Violation = { what: "an unmasked frame", bytes: Buffer.of(BINARY, 1, 7), code: 1002 };
export const FRAGMENTS: Violation = { what: "2,000 fragments of a byte", bytes: continued(2_000, byte), code: 1008 };
export const CONTINUATIONS: Violation = {
  what: "10,000 continuation frames",
  bytes: continued(10_000, byte),
  code: 1008,
};
/** A masked header that announces 2^40 bytes. */
export const OVERSIZED: Violation = {
  what: "a frame of a tebibyte",
  bytes: Buffer.of(BINARY, 0x80 | 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0),
  code: 1009,
};

/** All of them but the floods. */
export const VIOLATIONS: readonly Violation[] = [
  UNMASKED,
  { what: "a compressed frame", bytes: maskedFrame(BINARY | 0x40, Buffer.of(1, 2, 3)), code: 1002 },
  { what: "a reserved bit", bytes: maskedFrame(BINARY | 0x10, byte), code: 1002 },
  { what: "an unknown opcode", bytes: maskedFrame(0x83, byte), code: 1002 },
  { what: "a continuation of nothing", bytes: maskedFrame(0x80, byte), code: 1002 },
  {
    what: "a message inside another",
    bytes: Buffer.concat([maskedFrame(FIRST_FRAGMENT, byte), maskedFrame(BINARY, byte)]),
    code: 1002,
  },
  OVERSIZED,
  FRAGMENTS,
  CONTINUATIONS,
  { what: "10,000 continuation frames of no bytes", bytes: continued(10_000, Buffer.alloc(0)), code: 1008 },
  { what: "text on a binary connection", bytes: maskedFrame(TEXT, Buffer.from("{}")), code: 4400 },
  { what: "text that is not UTF-8", bytes: maskedFrame(TEXT, Buffer.of(0xc3, 0x28)), code: 1007 },
  { what: "a ping of 126 bytes", bytes: maskedFrame(PING, Buffer.alloc(126)), code: 1002 },
  { what: "a ping in fragments", bytes: maskedFrame(0x09, byte), code: 1002 },
  { what: "a close code of one byte", bytes: maskedFrame(CLOSE, Buffer.of(3)), code: 1002 },
  { what: "a close code that may not be sent", bytes: maskedFrame(CLOSE, Buffer.of(0x03, 0xed)), code: 1002 },
  {
    what: "a close reason that is not UTF-8",
    bytes: maskedFrame(CLOSE, Buffer.of(0x03, 0xe8, 0xff, 0xfe)),
    code: 1007,
  },
];

/** More frames at once than anybody may send. */
export const FLOODS: readonly Violation[] = [
  { what: "a flood of pings", bytes: flood(PING), code: 4429 },
  { what: "a flood of pongs", bytes: flood(PONG), code: 4429 },
  { what: "a flood of heartbeats", bytes: flood(BINARY), code: 4429 },
  { what: "a flood of packets", bytes: flood(BINARY, byte), code: 4429 },
];
