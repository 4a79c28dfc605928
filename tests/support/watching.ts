import type { ClientPacket, ServerPacket } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { type Presence, StatusSchema } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { type Edge, TestUser } from "./user.ts";

/** A client on a socket of any kind. */
export interface Client {
  readonly packets: readonly ServerPacket[];
  request(command: ClientPacket["command"]): Promise<ServerPacket["event"]>;
  until(accepts: (packet: ServerPacket) => boolean, timeoutMs?: number): Promise<ServerPacket>;
}

/** How somebody looks, in short: `ONLINE`, `BUSY "in a meeting"`, `OFFLINE seen`. */
export function look({ status, statusText, lastSeenTime }: Presence): string {
  const name = StatusSchema.value[status]?.name.replace("STATUS_", "") ?? String(status);
  return `${name}${statusText === "" ? "" : ` "${statusText}"`}${lastSeenTime === undefined ? "" : " seen"}`;
}

/** Watches users, and those only; how they look, in the order of the answer. */
export async function subscribe(client: Client, users: readonly TestUser[]): Promise<string[]> {
  const userIds = users.map(({ userId }) => userId);
  const event = await client.request({
    case: "subscribePresence",
    value: { $typeName: "oceanchat.presence.v1.SubscribePresenceRequest", userIds },
  });
  if (event.case !== "presence") throw new Error(`answered with ${event.case}: ${JSON.stringify(event.value)}`);
  return event.value.presences.map(look);
}

/** What signals have told of a user, in order. */
export function told(client: Client, { userId }: TestUser): string[] {
  return client.packets.flatMap(({ event }) => {
    if (event.case !== "signal" || event.value.kind.case !== "presence") return [];
    const presence = event.value.kind.value;
    return presence.userId === userId ? [look(presence)] : [];
  });
}

/** Waits until signals have told so many times of a user; all of it. */
export async function untilTold(client: Client, user: TestUser, count: number, timeoutMs?: number): Promise<string[]> {
  await client.until(() => told(client, user).length >= count, timeoutMs);
  return told(client, user);
}

/** Until presence can read statuses: in the moments after a start everybody looks offline. */
export async function untilStatuses(at: Edge): Promise<void> {
  const [viewer, user] = await Promise.all([TestUser.register(at, "first"), TestUser.register(at, "second")]);
  const socket = await user.connect();
  for (const began = Date.now(); ; ) {
    const path = `/presence?userIds=${user.userId}`;
    const { presences } = await viewer.ok<{ presences: readonly { readonly status: string }[] }>("GET", path);
    if (presences[0]?.status === "STATUS_ONLINE") break;
    if (Date.now() - began > 20_000) throw new Error("statuses can't be read");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await socket.close();
}
