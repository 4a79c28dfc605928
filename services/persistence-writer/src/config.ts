import { mongoKeys, natsKeys, redisKeys } from "@oceanchat/runtime/server-keys";

/** What persistence-writer can be told. */
export const writerKeys = {
  ...natsKeys,
  ...mongoKeys,
  ...redisKeys,
} as const;
