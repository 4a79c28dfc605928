import { setTimeout as sleep } from "node:timers/promises";
import { check } from "../checker.ts";
import type { FinalState } from "../history.ts";
import { Memberships } from "../membership.ts";
import { atRest, type Logged } from "../support/at-rest.ts";
import { type LogMesh, VICTIMS } from "../support/log-mesh.ts";
import { createGroup, directOf, type LogUser, registerUser } from "../support/log-user.ts";
import { type Counts, Recorder } from "../support/recorder.ts";
import { Actor } from "./actor.ts";
import type { Kill, Plan } from "./plan.ts";
import type { Stage } from "./stage.ts";
import { Model, standingOf } from "./standing.ts";

/** What a run found. */
export interface RunReport {
  /** Everything that must not be; empty when all is well. */
  readonly violations: readonly string[];
  readonly counts: Counts;
  readonly stored: number;
  readonly views: number;
  readonly refused: ReadonlyMap<string, number>;
}

/** Lets four users do what the plan says, all at once and while processes are killed, and compares everything with the model. */
export async function runPlan(mesh: LogMesh, plan: Plan): Promise<RunReport> {
  const stage = await setStage(mesh);
  const { users, conversationIds, recorder, refused } = stage;
  const killing = killAll(mesh, plan.kills);
  await Promise.all(users.map((user, index) => new Actor(stage, user).run(plan.actors[index] ?? [])));
  await killing;
  await mesh.mesh.untilReady();
  await resolveAll(stage);
  const final = await atRest(mesh, users, conversationIds);
  const violations = [
    ...recorder.wrong,
    ...check(recorder.history, final).map(({ check, what }) => `${check}: ${what}`),
    ...falselyRefused(stage, new Memberships(final.stream)),
    ...(await compareWithModel(stage, final)),
  ];
  return { violations, counts: recorder.counts(), stored: final.stream.length, views: recorder.views.length, refused };
}

/** Two groups and two direct conversations among four users; the fourth comes into the first group only if somebody invites him. */
async function setStage(mesh: LogMesh): Promise<Stage> {
  const names = ["ann", "bob", "cid", "dan"];
  const users = await Promise.all(names.map((name) => registerUser(mesh, name)));
  const [ann, bob, cid, dan] = users;
  if (ann === undefined || bob === undefined || cid === undefined || dan === undefined) throw new Error("unreachable");
  const groups = await Promise.all([createGroup([ann, bob, cid]), createGroup([dan, cid, bob, ann])]);
  const conversationIds = [...groups, directOf(ann, bob), directOf(cid, dan)];
  return { users, conversationIds, recorder: new Recorder(mesh), seen: [], refused: new Map() };
}

async function killAll({ mesh }: LogMesh, kills: readonly Kill[]): Promise<void> {
  for (const { afterMs, victim } of kills) {
    await sleep(afterMs);
    await mesh.kill(VICTIMS[victim % VICTIMS.length] ?? VICTIMS[0]);
  }
}

/** Whatever isn't known is asked again, until it is. */
async function resolveAll({ recorder }: Stage): Promise<void> {
  for (const operation of recorder.operations) {
    const { tries, key } = operation;
    const known = tries.some(({ outcome }) => outcome.kind === "ok");
    if (known || key === undefined || !tries.some(({ outcome }) => outcome.kind === "unknown")) continue;
    const outcome = await recorder.resolve(operation);
    if (outcome.kind === "unknown") recorder.wrong.push(`C10: ${key} stays unknown: ${outcome.reason}`);
  }
}

/** Nobody is told that a message isn't there which he could read all the time. */
function falselyRefused({ recorder }: Stage, memberships: Memberships): string[] {
  return recorder.operations.flatMap(({ userId, conversationId, fact, tries }) => {
    if (!("target" in fact)) return [];
    const notFound = tries.some(({ outcome }) => outcome.kind === "failed" && outcome.reason === "MESSAGE_NOT_FOUND");
    const intervals = memberships.of(conversationId, userId);
    const [interval] = intervals;
    const always = intervals.length === 1 && interval?.to === undefined && interval !== undefined;
    if (!notFound || !always || fact.target < interval.from) return [];
    return [`model: ${userId} was told that there is no ${conversationId}:${fact.target}`];
  });
}

/** What every reader is told at rest, and what was shown meanwhile, is what the model makes of the log. */
async function compareWithModel(
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
  for (const user of users) violations.push(...(await compareConversations(user, models, memberships)));
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

/** The list of conversations has each of the user's once, the latest activity first, with its last record as it stands. */
async function compareConversations(
  { userId, query }: LogUser,
  models: ReadonlyMap<string, Model>,
  memberships: Memberships,
): Promise<string[]> {
  const listed: { conversationId: string; headSeq: number; last: string }[] = [];
  for (let pageToken = ""; ; ) {
    const page = await query.listConversations({ pageSize: 2, pageToken });
    for (const { conversationId, headSeq, lastRecord } of page.conversations) {
      const last = lastRecord === undefined ? "none" : JSON.stringify(standingOf(lastRecord));
      listed.push({ conversationId, headSeq: Number(headSeq), last });
    }
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
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
