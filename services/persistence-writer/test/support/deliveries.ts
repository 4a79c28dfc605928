import type { Delivered } from "@oceanchat/runtime/bus-types";

/** A message as a consumer is given it. */
export function delivered(sequence: number, data: Uint8Array): Delivered {
  return {
    sequence,
    subject: "log.0.c.x",
    data,
    time: new Date(0),
    messageId: undefined,
    traceparent: "",
    header: () => undefined,
    deliveries: 1,
    attempts: 0,
  };
}
