import { addresses, integer, text } from "@oceanchat/runtime/config";
import { mongoKeys, natsKeys } from "@oceanchat/runtime/server-keys";

/** What message can be told. */
export const messageKeys = {
  ...natsKeys,
  ...mongoKeys,
  auth: addresses(
    "OCEANCHAT_AUTH_ADDRESSES",
    "Mesh doors of auth, for the signing keys.",
    "dns:oceanchat-auth-headless:8082",
  ),
  group: addresses(
    "OCEANCHAT_GROUP_ADDRESSES",
    "Mesh doors of group, for permissions in groups.",
    "dns:oceanchat-group-headless:8082",
  ),
  user: addresses(
    "OCEANCHAT_USER_ADDRESSES",
    "Mesh doors of user, for permissions between two users.",
    "dns:oceanchat-user-headless:8082",
  ),
  appendMs: integer(
    "OCEANCHAT_MESSAGE_APPEND_MS",
    "How long a message may take to be appended, in milliseconds; after that its outcome is unknown.",
    5_000,
    100,
    60_000,
  ),
  batchRecords: integer(
    "OCEANCHAT_MESSAGE_BATCH_RECORDS",
    "How many records of different logs may be appended in one atomic batch when they wait. 1: none; more pays only where NATS syncs every publish to disk (`sync_interval: always`).",
    1,
    1,
    1_000,
  ),
  editWindowMs: integer(
    "OCEANCHAT_EDIT_WINDOW_MS",
    "How long a message may be edited by its sender, in milliseconds; 0: never.",
    86_400_000,
    0,
    31_536_000_000,
  ),
  recallWindowMs: integer(
    "OCEANCHAT_RECALL_WINDOW_MS",
    "How long a message may be recalled by its sender, in milliseconds; 0: never.",
    86_400_000,
    0,
    31_536_000_000,
  ),
  recordBytes: integer("OCEANCHAT_MESSAGE_MAX_RECORD_BYTES", "The largest record, in bytes.", 32_768, 1_024, 60_000),
  textBytes: integer("OCEANCHAT_MAX_TEXT_BYTES", "The longest text, in bytes of UTF-8.", 8_192, 1, 32_768),
  mentions: integer("OCEANCHAT_MAX_MENTIONS", "How many different users a message may mention.", 50, 0, 100),
  reactionKinds: integer("OCEANCHAT_MAX_REACTION_KINDS", "How many kinds of reactions a message may have.", 20, 1, 100),
  wordsFile: text(
    "OCEANCHAT_SENSITIVE_WORDS_FILE",
    "A file with words that are refused, masked or flagged; empty for none. The README says how it is written.",
    "",
  ),
  wordsReloadMs: integer(
    "OCEANCHAT_SENSITIVE_WORDS_RELOAD_MS",
    "How often that file is looked at for changes, in milliseconds; they are used when it has stayed as it is from one look to the next.",
    5_000,
    100,
    3_600_000,
  ),
} as const;
