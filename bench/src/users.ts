import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { paced } from "./paced.ts";

/** Somebody who can connect. */
export interface User {
  readonly userId: string;
  readonly token: string;
}

const ATTEMPTS = 20;
const ANSWER_MS = 15_000;
/** The most that one call may name (group_service.proto). */
const FIRST_MEMBERS = 499;
const MORE_MEMBERS = 200;
/** The edge takes 30 calls a second from one user. */
const GROUP_CALLS = { perSecond: 20, atOnce: 4 };

/** Registers a user through the edge, as clients do. */
export async function registerUser(edge: string): Promise<User> {
  const answer = await post(edge, "/auth/register", undefined, () => ({
    username: `bench-${randomUUID().slice(0, 18)}`,
    password: "correct horse battery",
    displayName: "bench",
    device: { deviceId: randomUUID(), platform: "PLATFORM_WEB", name: "bench" },
  }));
  return { userId: textAt(answer, "user", "userId"), token: textAt(answer, "tokens", "accessToken") };
}

/** Registers a user and logs him in on so many devices; gives a session of each. */
export async function registerDevices(edge: string, devices: number): Promise<User[]> {
  const login = { username: `bench-${randomUUID().slice(0, 18)}`, password: "correct horse battery" };
  const device = () => ({ deviceId: randomUUID(), platform: "PLATFORM_WEB", name: "bench" });
  await post(edge, "/auth/register", undefined, () => ({ ...login, displayName: "bench", device: device() }));
  const sessions: User[] = [];
  while (sessions.length < devices) {
    const answer = await post(edge, "/auth/login", undefined, () => ({ ...login, device: device() }));
    sessions.push({ userId: textAt(answer, "user", "userId"), token: textAt(answer, "tokens", "accessToken") });
  }
  return sessions;
}

/** The id of the direct conversation of two users. */
export function directId(a: string, b: string): string {
  return a < b ? `d_${a}_${b}` : `d_${b}_${a}`;
}

/** Makes one group of all these users; the first is its owner. Returns its conversation's id. */
export async function createGroup(edge: string, users: readonly User[]): Promise<string> {
  const [owner, ...others] = users;
  if (owner === undefined) throw new RangeError("a group without members");
  const ids = others.map(({ userId }) => userId);
  const key = { clientGroupId: randomUUID(), name: "bench", memberIds: ids.slice(0, FIRST_MEMBERS) };
  const answer = await post(edge, "/groups", owner.token, () => key);
  const groupId = textAt(answer, "group", "groupId");
  const rest = ids.slice(FIRST_MEMBERS);
  const pages = Array.from({ length: Math.ceil(rest.length / MORE_MEMBERS) }, (_, page) =>
    rest.slice(page * MORE_MEMBERS, (page + 1) * MORE_MEMBERS),
  );
  await paced(pages, { ...GROUP_CALLS, atOnce: 1 }, (userIds) =>
    post(edge, `/groups/${groupId}/members`, owner.token, () => ({ userIds })),
  );
  return textAt(answer, "group", "conversationId");
}

/** Makes several groups. */
export function createGroups(edge: string, groups: readonly (readonly User[])[]): Promise<string[]> {
  return paced(groups, GROUP_CALLS, (users) => createGroup(edge, users));
}

/** A call that waits and repeats, with a fresh body, when the edge or the service says that it is too much. */
async function post(edge: string, path: string, token: string | undefined, body: () => unknown): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(`${edge}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body()),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const text = await response.text();
    if (response.status === 200) return JSON.parse(text);
    const again = response.status === 429 || response.status === 503;
    if (!again || attempt === ATTEMPTS) throw new Error(`POST ${path}: ${response.status} ${text.slice(0, 500)}`);
    await sleep(500 + 500 * Math.random());
  }
}

/** A text somewhere in a JSON answer. */
function textAt(answer: unknown, ...path: readonly string[]): string {
  let value = answer;
  for (const key of path) {
    value =
      typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, key)?.value : undefined;
  }
  if (typeof value !== "string") throw new Error(`no ${path.join(".")} in ${JSON.stringify(answer)?.slice(0, 200)}`);
  return value;
}
