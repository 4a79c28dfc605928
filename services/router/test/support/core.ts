import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { CommandResultSchema } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { CommandResultSchema as PresenceResultSchema } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { CommandResultSchema as QueryResultSchema } from "@oceanchat/gen/oceanchat/query/v1/query_mesh_service_pb";
import { createRequestValidator } from "@oceanchat/runtime/validate";
import { Breaker } from "../../src/core/breaker.ts";
import { createExchange } from "../../src/core/exchange.ts";
import { Limits } from "../../src/core/limits.ts";
import type { Dispatch } from "../../src/ports.ts";
import { binary, GROUP, type Packet, uplink } from "./packets.ts";

export type Result = MessageInitShape<typeof CommandResultSchema>["result"];
export const conversationId = `g_${GROUP}`;
export const accepted: Result = {
  case: "accepted",
  value: { conversationId, recordId: "r-1", seq: 3n, duplicate: true },
};

const synced = create(QueryResultSchema, { result: { case: "syncPage", value: { cursor: "next", hasMore: true } } });
export const shown = create(PresenceResultSchema, {
  keep: Uint8Array.of(7, 7),
  result: { case: "presence", value: { presences: [{ userId: GROUP, status: 2 }] } },
});

/** The router's core with a message service that answers as told. */
export function routerWith(result: () => Result | Promise<Result> = () => accepted, page = () => synced) {
  const asked: Dispatch[] = [];
  const watched: Dispatch[] = [];
  const presences = { answer: () => shown };
  const dispatched: Dispatch[] = [];
  const defects: unknown[] = [];
  const clock = { nowMs: 0 };
  const validate = createRequestValidator();
  const exchange = createExchange({
    targets: {
      message: {
        port: {
          async dispatch(dispatch) {
            dispatched.push(dispatch);
            const answered = await result();
            return create(CommandResultSchema, answered === undefined ? {} : { result: answered });
          },
        },
        breaker: new Breaker({ failures: 3, openMs: 1_000 }),
      },
      query: {
        port: {
          async dispatch(dispatch) {
            asked.push(dispatch);
            return page();
          },
        },
        breaker: new Breaker({ failures: 3, openMs: 1_000 }),
      },
      presence: {
        port: {
          async dispatch(dispatch) {
            watched.push(dispatch);
            return presences.answer();
          },
        },
        breaker: new Breaker({ failures: 3, openMs: 1_000 }),
      },
    },
    limits: new Limits({
      packetsPerSecond: 100,
      packetsBurst: 200,
      serverPacketsPerSecond: 0,
      serverPacketsBurst: 0,
      maxUsers: 100,
    }),
    validate,
    now: () => clock.nowMs,
    onDefect: (cause) => defects.push(cause),
  });
  const answer = (packet: Packet) => exchange(uplink(binary(packet)));
  const send = async (packet: Packet) => (await answer(packet)).payload;
  return { exchange, answer, send, dispatched, asked, watched, presences, defects, clock };
}
