import { makeUsers } from "./accounts.ts";
import { MessageIds } from "./message-ids.ts";
import { type RowMemory, rowMemory } from "./rows.ts";
import {
  type Conversations,
  countOf,
  MAX_DELIVERIES,
  MAX_MESSAGES,
  membersOf,
  onlineOf,
  type Part,
  phasesOf,
  type Scenario,
  socketsOf,
  usersOf,
} from "./scenario.ts";
import type { NamedConversation, PlannedClient, ShardPlan } from "./shard/plan.ts";
import type { Target } from "./target.ts";
import { createGroups, directId, type User } from "./users.ts";

/** Everything that is there before the first socket. */
export interface Prepared {
  readonly conversations: readonly NamedConversation[];
  readonly rows: RowMemory;
  readonly shards: readonly ShardPlan[];
}

/** Sockets that come from one address: the edge and the gateways limit what an address may do. */
const SOCKETS_PER_ADDRESS = 50;

/** Makes users and conversations and shares them out among so many threads. */
export async function prepare(
  target: Target,
  scenario: Scenario,
  how: { direct: boolean; threads: number },
): Promise<Prepared> {
  const users = await makeUsers(target, usersOf(scenario));
  const sockets = socketsOf(scenario);
  const online = users.slice(0, sockets);
  const offline = users.slice(sockets);
  const conversations = await converse(target.edge, scenario.traffic, online, offline);
  const rows = rowMemory(MAX_MESSAGES, MAX_DELIVERIES);
  const clients = clientsOf(target, scenario, how.direct, online, conversations);
  const run = MessageIds.newRun();
  const homes = homesOf(conversations, how.threads);
  const threadOf = threadsOf(conversations, homes, sockets, how.threads);
  const shards = Array.from(
    { length: how.threads },
    (_, thread): ShardPlan => ({
      ...{ run, rows, conversations, edge: target.edge },
      parts: scenario.traffic.map((part, index) => shareOf(part, index, conversations, homes, thread)),
      clients: clients.filter(({ number }) => threadOf[number] === thread),
      resumes: scenario.storm !== undefined || scenario.slowReaders !== undefined,
      heartbeatMs: scenario.heartbeatSeconds * 1000,
      phases: scenario.attacks === undefined ? 0 : phasesOf(scenario.attacks),
      spreadMs: (scenario.storm?.spreadSeconds ?? 1) * 1000,
    }),
  );
  return { conversations, rows, shards };
}

/** Which thread makes the traffic of each conversation. */
const homesOf = (conversations: readonly NamedConversation[], threads: number): number[] =>
  conversations.map((_, conversation) => conversation % threads);

/** Which thread has each socket: writers where their conversation's traffic is made, readers all over. */
function threadsOf(
  conversations: readonly NamedConversation[],
  homes: readonly number[],
  sockets: number,
  threads: number,
): Int32Array {
  const threadOf = Int32Array.from({ length: sockets }, (_, number) => number % threads);
  for (const [conversation, { writers }] of conversations.entries()) {
    for (const writer of writers) threadOf[writer] = homes[conversation] ?? 0;
  }
  return threadOf;
}

/** A thread's share of a part: its conversations, and of an open loop the rate that belongs to them. */
function shareOf(
  { load, textBytes, conversations }: Part,
  part: number,
  all: readonly NamedConversation[],
  homes: readonly number[],
  thread: number,
): ShardPlan["parts"][number] {
  const mine = [...all.entries()].filter(([number, one]) => one.part === part && homes[number] === thread);
  const share = mine.length / countOf(conversations);
  return {
    load: load.kind === "open" ? { ...load, perSecond: Math.max(1e-6, load.perSecond * share) } : load,
    textBytes,
    conversations: mine.map(([number]) => number),
  };
}

function clientsOf(
  target: Target,
  scenario: Scenario,
  direct: boolean,
  users: readonly User[],
  conversations: readonly NamedConversation[],
): PlannedClient[] {
  const writers = new Set(conversations.flatMap((conversation) => conversation.writers));
  const slow = new Set(slowOf(scenario, conversations));
  const way = direct && scenario.connect === "edge" ? "gateways" : scenario.connect;
  return users.map(({ userId, token }, number) => {
    const first = way === "one gateway" ? (writers.has(number) ? 1 : 0) : number;
    const urls =
      way === "edge" ? [target.ws] : target.gateways.map((_, index) => turned(target.gateways, first + index));
    const slowly = slow.has(number) ? { slowBytesPerSecond: scenario.slowReaders?.bytesPerSecond ?? 0 } : {};
    return { number, userId, token, urls, localAddress: addressOf(number), ...slowly };
  });
}

const turned = (urls: readonly string[], index: number): string => urls[index % urls.length] ?? "";

/** The last readers of the first part's conversations. */
function slowOf({ slowReaders }: Scenario, conversations: readonly NamedConversation[]): number[] {
  const first = conversations.filter(({ part }) => part === 0);
  const readers = first.flatMap(({ members, writers }) => members.filter((member) => !writers.includes(member)));
  return slowReaders === undefined ? [] : readers.slice(-slowReaders.sockets);
}

/** A loopback address for so many sockets. */
function addressOf(number: number): string {
  const block = Math.floor(number / SOCKETS_PER_ADDRESS);
  return `127.1.${Math.floor(block / 250)}.${1 + (block % 250)}`;
}

async function converse(
  edge: string,
  parts: readonly Part[],
  online: readonly User[],
  offline: readonly User[],
): Promise<NamedConversation[]> {
  const made: NamedConversation[] = [];
  let first = 0;
  let absent = 0;
  for (const [part, { conversations }] of parts.entries()) {
    const size = onlineOf(conversations);
    const missing = membersOf(conversations) - size;
    const numbers = Array.from({ length: countOf(conversations) }, (_, index) =>
      Array.from({ length: size }, (__, place) => first + index * size + place),
    );
    const parties = numbers.map((members, index) => [
      ...members.flatMap((number) => online[number] ?? []),
      ...offline.slice(absent + index * missing, absent + (index + 1) * missing),
    ]);
    first += numbers.length * size;
    absent += numbers.length * missing;
    const ids = await idsOf(edge, conversations, parties);
    for (const [index, members] of numbers.entries()) {
      made.push({ id: ids[index] ?? "", members, writers: members.slice(0, conversations.writers), part });
    }
  }
  return made;
}

async function idsOf(
  edge: string,
  conversations: Conversations,
  parties: readonly (readonly User[])[],
): Promise<string[]> {
  return conversations.kind === "group" ? createGroups(edge, parties) : parties.map(pairId);
}

function pairId(pair: readonly User[]): string {
  const [a, b] = pair;
  if (a === undefined || b === undefined) throw new RangeError("a pair of less than two");
  return directId(a.userId, b.userId);
}
