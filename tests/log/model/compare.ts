import { setTimeout as sleep } from "node:timers/promises";
import type { FinalState } from "../history.ts";
import { Memberships } from "../membership.ts";
import type { Logged } from "../support/at-rest.ts";
import { type Device, ifImplemented } from "../support/device.ts";
import type { LogUser } from "../support/log-user.ts";
import type { Stage } from "./stage.ts";
import { Model, standingOf } from "./standing.ts";

/** How long a message may take to be found. */
const FOUND_MS = 15_000;

/** What every reader is told at rest, and what was shown meanwhile, is what the model makes of the log. */
export async function compareWithModel(
  { users, conversationIds, seen }: Stage,
  { stream }: FinalState & { readonly stream: readonly Logged[] },
): Promise<string[]> {
  const memberships = new Memberships(stream);
  const models = new Map(conversationIds.map((each) => [each, new Model(each, stream, memberships)]));
  const violations = seen.flatMap(({ userId, conversationId, standing, headSeqThen }) => {
    if (models.get(conversationId)?.isPossible(userId, standing, headSeqThen) !== false) return [];
    return [`model: ${userId} was shown ${conversationId} ${JSON.stringify(standing)} after ${headSeqThen}`];
  });
  for (const [conversationId, model] of models) {
    for (const user of users) {
      if (model.headSeq === 0 || memberships.of(conversationId, user.userId).length === 0) continue;
      violations.push(...(await compareHistory(user, model)));
    }
  }
  for (const [index, user] of users.entries()) {
    violations.push(...(await compareConversations(user, models, memberships)));
    violations.push(...(await compareReceipts(user, models, memberships, stream)));
    violations.push(...(await compareSearch(user, users[(index + 1) % users.length] ?? user, models, memberships)));
  }
  return violations;
}

async function compareHistory(user: LogUser, model: Model): Promise<string[]> {
  const { conversationId } = model;
  const expected = model.history(user.userId).map((standing) => JSON.stringify(standing));
  const violations: string[] = [];
  for (const backward of [false, true]) {
    const shown = (await pagesOf(user, conversationId, backward)).map((record) => JSON.stringify(record));
    const wrong = expected.findIndex((text, index) => text !== shown[index]);
    if (wrong < 0 && shown.length === expected.length) continue;
    const where = `model: ${user.userId} reads ${conversationId} ${backward ? "backward" : "forward"}`;
    violations.push(`${where}: expected ${expected[wrong]}, got ${shown[wrong < 0 ? expected.length : wrong]}`);
  }
  return violations;
}

async function pagesOf({ query }: LogUser, conversationId: string, backward: boolean) {
  const pages: ReturnType<typeof standingOf>[][] = [];
  for (let at = backward ? 2n ** 53n : 0n, more = true; more; ) {
    const request = backward ? { beforeSeq: at } : { afterSeq: at };
    const page = await query.listRecords({ conversationId, ...request, limit: 17 });
    pages.push(page.records.map(standingOf));
    more = page.hasMore;
    at = backward ? page.firstSeq : page.lastSeq;
  }
  return (backward ? pages.reverse() : pages).flat();
}

/** The list of conversations has each of the user's, with its last record as it stands. */
async function compareConversations(
  { userId, query }: LogUser,
  models: ReadonlyMap<string, Model>,
  memberships: Memberships,
): Promise<string[]> {
  // What wasn't stored yet when the list was begun may come again on a later page; the later one counts.
  const found = new Map<string, { conversationId: string; headSeq: number; last: string }>();
  for (let pageToken = ""; ; ) {
    const page = await query.listConversations({ pageSize: 2, pageToken });
    for (const { conversationId, headSeq, lastRecord } of page.conversations) {
      const last = lastRecord === undefined ? "none" : JSON.stringify(standingOf(lastRecord));
      found.set(conversationId, { conversationId, headSeq: Number(headSeq), last });
    }
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  const listed = [...found.values()];
  const expected = [...models.values()]
    .filter((model) => model.headSeq > 0 && memberships.isMember(model.conversationId, userId))
    .map((model) => {
      const { conversationId, headSeq } = model;
      return { conversationId, headSeq, last: JSON.stringify(model.standing(userId, headSeq, headSeq)) };
    });
  const sorted = (list: typeof listed) =>
    JSON.stringify([...list].sort((a, b) => (a.conversationId < b.conversationId ? -1 : 1)));
  if (sorted(listed) === sorted(expected)) return [];
  return [`model: ${userId} is listed ${sorted(listed)}, expected ${sorted(expected)}`];
}

/** Who has read the conversation's last record: every member but its sender, up to where his cursor is. */
async function compareReceipts(
  { userId, query }: LogUser,
  models: ReadonlyMap<string, Model>,
  memberships: Memberships,
  stream: readonly Logged[],
): Promise<string[]> {
  const violations: string[] = [];
  for (const { conversationId, headSeq } of models.values()) {
    if (headSeq === 0 || !memberships.isMember(conversationId, userId)) continue;
    const sender = stream.find(
      (entry) => entry.conversationId === conversationId && entry.seq === headSeq,
    )?.senderUserId;
    const expected = memberships
      .membersOf(conversationId)
      .filter((each) => each !== sender)
      .map((each) => {
        return `${each} ${cursorOf(stream, each, conversationId)}`;
      });
    const { receipts } = await query.getReadReceipts({ conversationId, seq: BigInt(headSeq) });
    const told = receipts.map(({ userId: reader, readSeq }) => `${reader} ${readSeq}`);
    if (told.sort().join() === expected.sort().join()) continue;
    violations.push(`model: receipts of ${conversationId}:${headSeq} are ${told.join()}, expected ${expected.join()}`);
  }
  return violations;
}

function cursorOf(stream: readonly Logged[], userId: string, conversationId: string): number {
  return stream.reduce((highest, { senderUserId, fact }) => {
    const own = senderUserId === userId && fact.kind === "read" && fact.conversationId === conversationId;
    return own ? Math.max(highest, fact.seq) : highest;
  }, 0);
}

/** Everybody finds what another says now, in the conversations of which he is a member from beginning to end, and nothing else. */
async function compareSearch(
  user: LogUser,
  { name }: LogUser,
  models: ReadonlyMap<string, Model>,
  memberships: Memberships,
): Promise<string[]> {
  const mine = [...models.values()].filter(({ conversationId }) => {
    const intervals = memberships.of(conversationId, user.userId);
    return intervals.length === 1 && intervals[0]?.to === undefined;
  });
  const expected = mine
    .flatMap((model) => model.history(user.userId).filter(({ text }) => text.startsWith(`${name} says`)))
    .map(({ recordId }) => recordId)
    .sort();
  for (const began = Date.now(); ; await sleep(200)) {
    const found = await ifImplemented(() => search(user, `${name} says`, mine));
    if (found === undefined || found.sort().join() === expected.join()) return [];
    if (Date.now() - began < FOUND_MS) continue;
    return [`model: ${user.userId} finds ${found.length} messages of ${name}, expected ${expected.length}`];
  }
}

async function search({ query }: LogUser, words: string, models: readonly Model[]): Promise<string[]> {
  const among = new Set(models.map(({ conversationId }) => conversationId));
  const found: string[] = [];
  for (let pageToken = ""; ; ) {
    const page = await query.search({ query: words, pageSize: 50, pageToken });
    found.push(...page.records.filter((record) => among.has(record.conversationId)).map(({ recordId }) => recordId));
    pageToken = page.nextPageToken;
    if (pageToken === "") return found;
  }
}

/** After one more Sync a device knows the head of each conversation, and has its user's own log without a hole. */
export async function compareDevices(
  { users, conversationIds }: Stage,
  actors: readonly { readonly device: Device }[],
  { stream }: FinalState & { readonly stream: readonly Logged[] },
): Promise<string[]> {
  const memberships = new Memberships(stream);
  const violations: string[] = [];
  for (const [index, { userId }] of users.entries()) {
    const device = actors[index]?.device;
    if (device === undefined || (await ifImplemented(() => device.sync(2).then(() => true))) === undefined) continue;
    const heads = conversationIds.flatMap((each) => {
      const head = stream.filter(({ conversationId }) => conversationId === each).length;
      return head > 0 && memberships.isMember(each, userId) ? [`${each} ${head}`] : [];
    });
    const known = [...device.heads].map(([conversationId, head]) => `${conversationId} ${head}`);
    if (known.sort().join() !== heads.sort().join()) {
      violations.push(`C5: a device of ${userId} knows ${known.join()} after Sync, there are ${heads.join()}`);
    }
    const own = [...new Set(device.ownSeqs)].sort((a, b) => a - b);
    const last = stream.filter(({ conversationId }) => conversationId === `u_${userId}`).length;
    if (own.some((seq, at) => at > 0 && seq !== (own[at - 1] ?? 0) + 1) || (own.length > 0 && own.at(-1) !== last)) {
      violations.push(`C5: a device of ${userId} has ${own.join()} of its own log, which has ${last} records`);
    }
  }
  return violations;
}
