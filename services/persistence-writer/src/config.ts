import { mongoKeys, natsKeys } from "@oceanchat/runtime/server-keys";

/** What persistence-writer can be told. */
export const writerKeys = {
  ...natsKeys,
  ...mongoKeys,
} as const;
