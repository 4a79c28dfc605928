import { create } from "@bufbuild/protobuf";
import type { Command, CommandResult } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { CommandResultSchema } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { PresenceCore } from "../core.ts";
import { choiceOf } from "./choice.ts";

/** Carries a client's command out. */
export async function dispatch(core: PresenceCore, item: Command): Promise<CommandResult> {
  const { command, connectionId, gatewayId, userId, codec } = item;
  switch (command.case) {
    case "subscribePresence": {
      const watcher = { connectionId, gatewayId, viewerId: userId, codec };
      const { presences, keep } = await core.watches.subscribe(watcher, command.value.userIds);
      const value = { presences: [...presences] };
      return create(CommandResultSchema, { keep, result: { case: "presence", value } });
    }
    case "setStatus":
      await core.setStatus(userId, choiceOf(command.value));
      return create(CommandResultSchema, { result: { case: "done", value: {} } });
    case undefined:
      throw shared.malformed("a command without a case");
  }
}
