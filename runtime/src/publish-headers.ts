import { headers, type MsgHdrs } from "@nats-io/transport-node";
import { PublishError, type PublishOptions } from "./bus-types.ts";

const PRINTABLE = /^[!-~]{1,256}$/;

/** The headers of a publish. Throws a PublishError when one of them can't be sent. */
export const publishHeaders = (options: PublishOptions): MsgHdrs => headersOf(headerLines(options));

/** The same, each in a line. Throws a PublishError when one of them can't be sent. */
export function headerLines(options: PublishOptions): string {
  const { messageId, traceparent = "", expectLastSubjectSequence } = options;
  try {
    if (messageId !== undefined && !PRINTABLE.test(messageId)) {
      throw new TypeError("messageId must be 1 to 256 printable ASCII");
    }
    if (traceparent !== "" && !PRINTABLE.test(traceparent)) throw new TypeError("traceparent must be printable ASCII");
    let lines = `Nats-Expected-Stream: ${options.expectStream}\r\n`;
    if (messageId !== undefined) lines += `Nats-Msg-Id: ${messageId}\r\n`;
    if (expectLastSubjectSequence !== undefined) {
      lines += `Nats-Expected-Last-Subject-Sequence: ${expectLastSubjectSequence}\r\n`;
    }
    if (traceparent !== "") lines += `traceparent: ${traceparent}\r\n`;
    return `${others(options.headers)}${lines}`;
  } catch (error) {
    throw new PublishError("refused", "a header can't be sent", { cause: error });
  }
}

/** What the caller gives; anything may be in there. */
function others(given: PublishOptions["headers"] = {}): string {
  let lines = "";
  for (const [name, value] of Object.entries(given)) {
    const checked = headers();
    checked.set(name, value);
    for (const [key, [text]] of checked) lines += `${key}: ${text}\r\n`;
  }
  return lines;
}

/**
 * Headers as the driver sends them. It asks them for their bytes and nothing else; its own way to them, over lists of names and
 * values in a map, costs five times as much.
 */
export function headersOf(lines: string): MsgHdrs {
  const bytes = Buffer.from(`NATS/1.0\r\n${lines}\r\n`);
  return Object.assign(headers(), { encode: () => bytes });
}
