import { DirectVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import type { Pair, ProfileStore, RelationStore, Settings } from "../ports.ts";
import type { DirectRevisions, Stamp } from "./direct-revisions.ts";

/** Look-ups that run at the same time; what is asked meanwhile is looked up together when one has ended. */
const LOOK_UPS = 4;
/** Questions of one look-up. */
const BATCH = 500;

type Profiles = Pick<ProfileStore, "settingsOf">;
type Relations = Pick<RelationStore, "blockedPairs" | "friendPairs">;

/** Whether he may, and what that depends on. */
export interface DirectAnswer extends Stamp {
  readonly verdict: DirectVerdict;
}

interface Question {
  /** `a` wants to write to `b`. */
  readonly pair: Pair;
  /** Of the time when it was asked, so before anything is read for it. */
  readonly stamp: Stamp;
  readonly resolve: (answer: DirectAnswer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Whether one user may write to another. What is asked in one turn is looked up together: a look-up of many costs hardly more than of
 * one. Nobody gets an answer that was looked up before he asked. Who asks bounds how many wait: the mesh door does.
 */
export class DirectChecks {
  readonly #profiles: Profiles;
  readonly #relations: Relations;
  readonly #revisions: Pick<DirectRevisions, "stampOf">;
  #waiting: Question[] = [];
  #running = 0;
  #scheduled = false;

  constructor(profiles: Profiles, relations: Relations, revisions: Pick<DirectRevisions, "stampOf">) {
    this.#profiles = profiles;
    this.#relations = relations;
    this.#revisions = revisions;
  }

  check(senderId: string, recipientId: string): Promise<DirectAnswer> {
    return new Promise((resolve, reject) => {
      const stamp = this.#revisions.stampOf(recipientId);
      this.#waiting.push({ pair: { a: senderId, b: recipientId }, stamp, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        this.#start();
      });
    });
  }

  #start(): void {
    while (this.#waiting.length > 0 && this.#running < LOOK_UPS) {
      this.#running++;
      void this.#lookUp(this.#waiting.splice(0, BATCH));
    }
  }

  /** Never rejects. */
  async #lookUp(questions: readonly Question[]): Promise<void> {
    try {
      const verdicts = await checkDirect(
        this.#profiles,
        this.#relations,
        questions.map(({ pair }) => pair),
      );
      for (const { pair, stamp, resolve } of questions)
        resolve({ verdict: verdicts.get(pair) ?? DirectVerdict.UNSPECIFIED, ...stamp });
    } catch (error) {
      for (const { reject } of questions) reject(error);
    }
    this.#running--;
    this.#start();
  }
}

/** A block counts in both directions and before the policy; everybody may write to himself. */
async function checkDirect(
  profiles: Profiles,
  relations: Relations,
  pairs: readonly Pair[],
): Promise<ReadonlyMap<Pair, DirectVerdict>> {
  const [settings, blocked] = await Promise.all([
    profiles.settingsOf(pairs.map(({ b }) => b)),
    relations.blockedPairs(pairs.filter(({ a, b }) => a !== b)),
  ]);
  const dependsOnFriends = (pair: Pair) =>
    pair.a !== pair.b && settings.get(pair.b)?.directPolicy === "friends" && !blocked.has(pair);
  const asked = pairs.filter(dependsOnFriends);
  const friends = asked.length > 0 ? await relations.friendPairs(asked) : new Set<Pair>();
  const isFriend = (pair: Pair) => friends.has(pair);
  return new Map(pairs.map((pair) => [pair, verdictOf(pair, settings.get(pair.b), blocked.has(pair), isFriend)]));
}

function verdictOf(
  pair: Pair,
  settings: Settings | undefined,
  blocked: boolean,
  isFriend: (pair: Pair) => boolean,
): DirectVerdict {
  if (settings === undefined) return DirectVerdict.UNKNOWN_RECIPIENT;
  if (pair.a === pair.b) return DirectVerdict.ALLOWED;
  if (blocked) return DirectVerdict.BLOCKED;
  if (settings.directPolicy === "everyone" || isFriend(pair)) return DirectVerdict.ALLOWED;
  return DirectVerdict.NOT_FRIENDS;
}
