import { setTimeout as sleep } from "node:timers/promises";
import { check } from "../checker.ts";
import { Memberships } from "../membership.ts";
import { atRest } from "../support/at-rest.ts";
import { type LogMesh, VICTIMS } from "../support/log-mesh.ts";
import { createGroup, directOf, registerUser } from "../support/log-user.ts";
import { type Counts, Recorder } from "../support/recorder.ts";
import { Actor } from "./actor.ts";
import { compareDevices, compareWithModel } from "./compare.ts";
import type { Kill, Plan } from "./plan.ts";
import type { Stage } from "./stage.ts";

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
  const actors = users.map((user) => new Actor(stage, user));
  await Promise.all(actors.map((actor, index) => actor.run(plan.actors[index] ?? [])));
  await killing;
  await mesh.mesh.untilReady();
  await resolveAll(stage);
  const final = await atRest(mesh, users, conversationIds);
  const violations = [
    ...recorder.wrong,
    ...check(recorder.history, final).map(({ check, what }) => `${check}: ${what}`),
    ...falselyRefused(stage, new Memberships(final.stream)),
    ...(await compareWithModel(stage, final)),
    ...(await compareDevices(stage, actors, final)),
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
