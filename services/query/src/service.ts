import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { QueryMeshService } from "@oceanchat/gen/oceanchat/query/v1/query_mesh_service_pb";
import type { QueryService } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { callerOf, type Handlers } from "@oceanchat/runtime/handlers";
import { decodePageToken, encodePageToken, pageSizeOf } from "@oceanchat/runtime/page-token";
import type { Tracing } from "@oceanchat/runtime/trace";
import { placeFields, placeOfFields } from "./core/list-place.ts";
import type { ListPage, ListRequest } from "./core/lists.ts";
import type { SyncPage, SyncRequest } from "./core/sync.ts";
import type { QueryCore } from "./core.ts";
import { errors } from "./errors.ts";
import type { FoundMessage } from "./ports/search.ts";

const SYNC_PAGE = 200;
const SYNC_PAGE_MAX = 1000;
/** How large a page of Sync may be, encoded. As JSON it is up to three times as large. */
const PAGE_BYTES = 1024 * 1024;
/** The same for a socket: well below what a gateway holds for a connection that reads slowly. */
const PACKET_BYTES = 128 * 1024;

/** What ListConversations does. */
export type Lister = (userId: string, request: ListRequest) => Promise<ListPage>;

/** What Sync does. */
export type Syncer = (userId: string, request: SyncRequest) => Promise<SyncPage>;

/** The public door's methods. */
export const queryHandlers = (core: QueryCore, lister: Lister, syncer: Syncer): Handlers<typeof QueryService> => ({
  async listRecords({ conversationId, afterSeq, beforeSeq, limit, raw }, context) {
    const request = { afterSeq, beforeSeq, limit: pageSizeOf(limit), raw };
    return core.listRecords(callerOf(context).userId, conversationId, request);
  },
  async listConversations(request, context) {
    const { conversations, next } = await lister(callerOf(context).userId, {
      pageSize: pageSizeOf(request.pageSize),
      after: placeOf(request.pageToken),
    });
    return { conversations, nextPageToken: next === undefined ? "" : encodePageToken(placeFields(next)) };
  },
  async getConversation({ conversationId }, context) {
    return { conversation: await core.getConversation(callerOf(context).userId, conversationId) };
  },
  async getReadReceipts({ conversationId, seq }, context) {
    return core.getReadReceipts(callerOf(context).userId, conversationId, seq);
  },
  async search(request, context) {
    const { query, conversationId, senderUserId } = request;
    const { records, next } = await core.search(callerOf(context).userId, {
      query,
      conversationId,
      senderUserId,
      fromMs: request.fromTime === undefined ? 0 : Math.max(0, timestampMs(request.fromTime)),
      toMs: request.toTime === undefined ? undefined : timestampMs(request.toTime),
      pageSize: pageSizeOf(request.pageSize),
      after: foundOf(request.pageToken),
    });
    return { records, nextPageToken: next === undefined ? "" : encodePageToken({ ...next, seq: String(next.seq) }) };
  },
  sync: (request, context) => syncer(callerOf(context).userId, pageOf(request, PAGE_BYTES)),
});

/** What routers call for the clients of sockets. */
export const queryMeshHandlers = (syncer: Syncer, tracing: Tracing): Handlers<typeof QueryMeshService> => ({
  async dispatch({ command, userId }, { traceparent }) {
    if (command.case !== "sync") {
      throw shared.unimplemented(`the command ${command.case ?? "without a name"} is not implemented`);
    }
    if (userId === "") throw shared.malformed("a command without a user");
    const page = pageOf(command.value, PACKET_BYTES);
    const value = await tracing.span("query.sync", traceparent, () => syncer(userId, page));
    return { result: { case: "syncPage" as const, value } };
  },
});

const pageOf = ({ cursor, pageSize }: Pick<SyncRequest, "cursor" | "pageSize">, maxBytes: number) => ({
  cursor,
  pageSize: pageSize <= 0 ? SYNC_PAGE : Math.min(pageSize, SYNC_PAGE_MAX),
  maxBytes,
});

const placeOf = (token: string) => decodePageToken(token, placeOfFields, errors.invalidPageToken);

const foundOf = (token: string): FoundMessage | undefined =>
  decodePageToken(
    token,
    ({ acceptedTimeMs, conversationId, seq }) =>
      isTime(acceptedTimeMs) && typeof conversationId === "string" && /^\d{1,18}$/.test(String(seq))
        ? { acceptedTimeMs, conversationId, seq: BigInt(String(seq)) }
        : undefined,
    errors.invalidPageToken,
  );

/** Milliseconds since the epoch, of which a date can be made. */
const isTime = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 8.64e15;
