import type { Command } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import type { Command as CommandOfPresence } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import type { Command as CommandOfQuery } from "@oceanchat/gen/oceanchat/query/v1/query_mesh_service_pb";
import type { ClientCommand } from "./packets.ts";

/** A command that message carries out: the same case under the same name there. */
export type MessageCommand = Extract<ClientCommand, Extract<Command["command"], { case: string }>>;
/** A command that query carries out. */
export type QueryCommand = Extract<ClientCommand, Extract<CommandOfQuery["command"], { case: string }>>;

/** A command that presence carries out. */
export type PresenceCommand = Extract<ClientCommand, Extract<CommandOfPresence["command"], { case: string }>>;

/** How a command is carried out. */
export type Route =
  /** By message; `nothing`: the client hears only of failures. */
  | { readonly target: "message"; readonly answer: "accepted" | "done" | "nothing" }
  | { readonly target: "query"; readonly answer: "syncPage" }
  | { readonly target: "presence"; readonly answer: "presence" | "done" }
  /** It belongs to a connection's first frame, which the gateway reads. */
  | { readonly target: "handshake" };

/** Every command of the contract: the one place that a new one is added to. */
export const routes: Readonly<Record<ClientCommand["case"], Route>> = {
  sendMessage: { target: "message", answer: "accepted" },
  editMessage: { target: "message", answer: "accepted" },
  recallMessage: { target: "message", answer: "accepted" },
  react: { target: "message", answer: "accepted" },
  markRead: { target: "message", answer: "done" },
  typing: { target: "message", answer: "nothing" },
  confirm: { target: "message", answer: "nothing" },
  updateSettings: { target: "message", answer: "accepted" },
  subscribePresence: { target: "presence", answer: "presence" },
  setStatus: { target: "presence", answer: "done" },
  sync: { target: "query", answer: "syncPage" },
  connect: { target: "handshake" },
};

export const isForMessage = (command: ClientCommand): command is MessageCommand =>
  routes[command.case].target === "message";

export const isForQuery = (command: ClientCommand): command is QueryCommand => routes[command.case].target === "query";

export const isForPresence = (command: ClientCommand): command is PresenceCommand =>
  routes[command.case].target === "presence";

/**
 * The conversation that a command is about: commands of one conversation go to one instance of message, in order, so two
 * names of the same conversation must give the same key.
 */
export function conversationOf(command: MessageCommand, senderId: string): string {
  if (command.case !== "sendMessage") return command.value.conversationId;
  const { target } = command.value;
  switch (target.case) {
    case "userId":
      return `d_${[senderId, target.value.toLowerCase()].sort().join("_")}`;
    case "groupId":
      return `g_${target.value.toLowerCase()}`;
    default:
      return target.value ?? "";
  }
}
