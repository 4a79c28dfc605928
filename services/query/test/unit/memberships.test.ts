import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { TimestampSchema, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  ListGroupIdsOfUserResponseSchema,
  ListGroupIdsOfUsersResponseSchema,
} from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { membershipsFrom } from "../../src/peers/memberships.ts";

const uuid = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;
const groupOf = (userId: string) => ({ groupId: `g-${userId}`, fromSeq: 1n, joinTime: timestampFromMs(5) });

type Group = Parameters<typeof membershipsFrom>[0];

/** Group, which doesn't say those of `silent` together with others. */
function given(silent: readonly string[] = []) {
  const together: string[][] = [];
  const apart: string[] = [];
  const saidOf = (userId: string, since: Parameters<typeof create<typeof TimestampSchema>>[1]) =>
    since === undefined ? userId : `${userId} ${timestampMs(create(TimestampSchema, since))}`;
  const call: Group["call"] = {
    async listGroupIdsOfUsers({ users = [] }) {
      const asked = users.map(({ userId = "", leftSince }) => saidOf(userId, leftSince));
      together.push(asked);
      const told = users.flatMap(({ userId = "" }) => (silent.includes(userId) ? [] : [userId]));
      return create(ListGroupIdsOfUsersResponseSchema, {
        users: told.toReversed().map((userId) => ({ userId, memberships: [groupOf(userId)] })),
      });
    },
    async listGroupIdsOfUser({ userId = "", afterGroupId = "", leftSince }) {
      apart.push(saidOf(userId, leftSince));
      const more = afterGroupId === "";
      const memberships = [{ ...groupOf(userId), groupId: more ? "first" : "second" }];
      return create(ListGroupIdsOfUserResponseSchema, { memberships, hasMore: more });
    },
  };
  return { memberships: membershipsFrom({ call }), together, apart };
}

describe("memberships", () => {
  it("asks by one call about all who ask at once", async () => {
    const { memberships, together, apart } = given();
    const users = [1, 2, 3].map(uuid);
    const found = await Promise.all(users.map((userId) => memberships(userId, undefined)));
    assert.deepEqual(
      found,
      users.map((userId) => [{ groupId: `g-${userId}`, fromSeq: 1n, toSeq: undefined, joinTimeMs: 5 }]),
    );
    assert.deepEqual([together, apart], [[users], []]);
  });

  it("asks apart about those of whom it isn't told so, page by page", async () => {
    const { memberships, apart } = given([uuid(2)]);
    const [, two] = await Promise.all([memberships(uuid(1), undefined), memberships(uuid(2), 7)]);
    assert.deepEqual(
      two?.map(({ groupId }) => groupId),
      ["first", "second"],
    );
    assert.deepEqual(apart, [`${uuid(2)} 7`, `${uuid(2)} 7`]);
  });

  it("names a user once, whose other device asks apart for another time", async () => {
    const { memberships, together, apart } = given();
    const [, second] = await Promise.all([memberships(uuid(1), 5), memberships(uuid(1), 9), memberships(uuid(1), 5)]);
    assert.deepEqual(together, [[`${uuid(1)} 5`]]);
    assert.deepEqual(apart, [`${uuid(1)} 9`, `${uuid(1)} 9`]);
    assert.equal(second?.length, 2);
  });
});
