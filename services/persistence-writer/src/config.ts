import { choice, integer } from "@oceanchat/runtime/config";
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
  archiveAfterDays: integer(
    "OCEANCHAT_ARCHIVE_AFTER_DAYS",
    "Records older than this are moved into compressed blocks, which are read through the same calls. In days; fewer than 8 count as 8; 0: never.",
    90,
    0,
    36_500,
  ),
} as const;
