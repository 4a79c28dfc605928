import { Code } from "@connectrpc/connect";
import { ErrorReason, ErrorReasonSchema } from "@oceanchat/gen/oceanchat/query/v1/error_reason_pb";
import { reasons, shared } from "@oceanchat/runtime/fail";

const fail = reasons("query.oceanchat", ErrorReasonSchema);

/** Why query refuses. */
export const errors = {
  /** The same for a conversation that doesn't exist and one that isn't the caller's. */
  conversationNotFound: () =>
    fail(Code.NotFound, ErrorReason.CONVERSATION_NOT_FOUND, "there is no such conversation for you"),
  /** The same for a record that doesn't exist and one that the caller may not read. */
  recordNotFound: () => fail(Code.NotFound, ErrorReason.RECORD_NOT_FOUND, "there is no such record for you"),
  invalidPageToken: () =>
    fail(Code.InvalidArgument, ErrorReason.INVALID_PAGE_TOKEN, "the page token is not one that this service gave"),
  invalidCursor: () =>
    fail(Code.InvalidArgument, ErrorReason.INVALID_PAGE_TOKEN, "the cursor is not one that this service gave"),
  /** The list would not be complete. */
  storeTooFarBehind: () => shared.unavailable("the store is too far behind the log at the moment", undefined, 5000),
  nothingToSearch: () =>
    fail(Code.InvalidArgument, ErrorReason.NOTHING_TO_SEARCH, "the query holds no letter and no digit"),
  bothDirections: () =>
    fail(Code.InvalidArgument, ErrorReason.BOTH_DIRECTIONS, "after_seq and before_seq exclude each other"),
};
