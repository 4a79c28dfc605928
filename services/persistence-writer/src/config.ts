import { choice } from "@oceanchat/runtime/config";
import { mongoKeys, natsKeys, redisKeys } from "@oceanchat/runtime/server-keys";

/** What persistence-writer can be told. */
export const writerKeys = {
  ...natsKeys,
  ...mongoKeys,
  ...redisKeys,
  searchIndex: choice(
    "OCEANCHAT_SEARCH_INDEX",
    "Whether messages are indexed for search. Off: what is indexed stays searchable as it is, recalled messages excepted.",
    "on",
    ["on", "off"],
  ),
} as const;
