import { addresses, integer } from "@oceanchat/runtime/config";
import { natsKeys } from "@oceanchat/runtime/server-keys";

/** What orchestrator can be told. */
export const orchestratorKeys = {
  ...natsKeys,
  group: addresses(
    "OCEANCHAT_GROUP_ADDRESSES",
    "Mesh doors of group, for the members of a group.",
    "dns:oceanchat-group-headless:8082",
  ),
  presence: addresses(
    "OCEANCHAT_PRESENCE_ADDRESSES",
    "Mesh doors of presence, for who is connected where.",
    "dns:oceanchat-presence-headless:8082",
  ),
  memberIds: integer(
    "OCEANCHAT_ORCHESTRATOR_MEMBER_IDS",
    "How many ids of group members are remembered at most, over all groups (about 100 bytes each).",
    1_000_000,
    0,
    100_000_000,
  ),
} as const;
