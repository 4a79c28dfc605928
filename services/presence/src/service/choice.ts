import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { SetStatusRequest } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import type { Choice } from "../ports.ts";

/** What a user chooses, as it came over the wire. */
export function choiceOf({ status, statusText, expireTime }: SetStatusRequest): Choice {
  return { status, text: statusText, expireMs: expireTime === undefined ? undefined : timestampMs(expireTime) };
}
