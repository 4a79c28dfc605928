import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { reasonOf, rest } from "../support/rest.ts";
import { installation } from "../support/shared-installation.ts";
import { TestSocket, UpgradeRefused } from "../support/socket.ts";
import { TestUser, textTo } from "../support/user.ts";

describe("bad input", () => {
  let alice: TestUser;
  let group: { groupId: string; conversationId: string };
  let stranger: TestUser;

  before(async () => {
    const { at } = installation();
    [alice, stranger] = await Promise.all([TestUser.register(at, "alice"), TestUser.register(at, "stranger")]);
    group = await alice.createGroup([]);
  });

  /** Nothing but the record of the group's creation. */
  const assertNothingStored = async () => assert.equal((await alice.records(group.conversationId)).length, 1);

  describe("by REST", () => {
    const cases: readonly [string, () => ReturnType<typeof rest>, number, string][] = [
      ["no token", () => rest(installation().at.edge, "GET", "/users/me"), 401, "ERROR_REASON_TOKEN_INVALID"],
      [
        "a bad token",
        () => rest(installation().at.edge, "GET", "/users/me", { token: `${alice.token}x` }),
        401,
        "ERROR_REASON_TOKEN_INVALID",
      ],
      [
        "a token in the query",
        () => rest(installation().at.edge, "GET", `/users/me?access_token=${alice.token}`),
        400,
        "ERROR_REASON_MALFORMED",
      ],
      [
        "invalid JSON",
        () => rest(installation().at.edge, "POST", "/messages", { token: alice.token, raw: "{nope" }),
        400,
        "ERROR_REASON_MALFORMED",
      ],
      [
        "a wrong type",
        () => alice.call("POST", "/messages", { groupId: group.groupId, clientMessageId: 7, content: "hi" }),
        400,
        "ERROR_REASON_MALFORMED",
      ],
      ["an empty text", () => alice.send({ groupId: group.groupId }, ""), 400, "ERROR_REASON_INVALID_FIELD"],
      ["a text of white space", () => alice.send({ groupId: group.groupId }, " \n\t"), 400, "ERROR_REASON_EMPTY_TEXT"],
      [
        "a text that is too long",
        () => alice.send({ groupId: group.groupId }, "x".repeat(8193)),
        400,
        "ERROR_REASON_INVALID_FIELD",
      ],
      [
        "no target",
        () => alice.call("POST", "/messages", { clientMessageId: randomUUID(), content: { text: { text: "x" } } }),
        400,
        "ERROR_REASON_INVALID_FIELD",
      ],
      ["no idempotency key", () => alice.send({ groupId: group.groupId }, "x", ""), 400, "ERROR_REASON_INVALID_FIELD"],
      [
        "an operator where a string belongs",
        () => alice.send({ conversationId: '{"$ne":null}' }, "x"),
        400,
        "ERROR_REASON_INVALID_FIELD",
      ],
      ["not a member", () => stranger.send({ groupId: group.groupId }, "let me in"), 403, "ERROR_REASON_NOT_A_MEMBER"],
      [
        "a group that doesn't exist",
        () => alice.send({ groupId: randomUUID() }, "x"),
        403,
        "ERROR_REASON_NOT_A_MEMBER",
      ],
      [
        "a recipient that doesn't exist",
        () => alice.send({ userId: randomUUID() }, "x"),
        404,
        "ERROR_REASON_USER_NOT_FOUND",
      ],
      ["oneself", () => alice.send({ userId: alice.userId }, "x"), 400, "ERROR_REASON_SELF"],
      [
        "somebody else's conversation",
        () => stranger.call("GET", `/conversations/${group.conversationId}/records`),
        404,
        "ERROR_REASON_CONVERSATION_NOT_FOUND",
      ],
      ["an unknown path", () => alice.call("GET", "/nothing/here"), 404, "ERROR_REASON_UNIMPLEMENTED"],
      ["a method that is only in the contract", () => alice.call("GET", "/friends"), 501, "ERROR_REASON_UNIMPLEMENTED"],
      [
        "a body over 1 MiB",
        () =>
          rest(installation().at.edge, "POST", "/messages", { token: alice.token, raw: `"${"x".repeat(1_100_000)}"` }),
        413,
        "ERROR_REASON_MALFORMED",
      ],
    ];
    for (const [name, call, status, reason] of cases) {
      it(`answers ${name} with ${status} ${reason}, and stores nothing`, async () => {
        const answer = await call();
        assert.equal(answer.status, status, JSON.stringify(answer.body));
        assert.equal(reasonOf(answer.body), reason, JSON.stringify(answer.body));
        const { code, message } = answer.body as { code: unknown; message: unknown };
        assert.equal(typeof code, "number");
        assert.equal(typeof message, "string");
        await assertNothingStored();
      });
    }
  });

  describe("on the socket", () => {
    let socket: TestSocket;

    beforeEach(async () => {
      socket = await alice.connect();
    });

    afterEach(() => void socket.raw.terminate());

    const nextError = async () => {
      const packet = await socket.until(({ event }) => event.case === "error");
      assert.ok(packet.event.case === "error");
      return packet.event.value;
    };
    /** The connection is alive: a good message is still… refused for a good reason, without being stored. */
    const assertAlive = async () => {
      const event = await socket.request(textTo(group.conversationId, " "));
      assert.ok(event.case === "error" && event.value.reason === "ERROR_REASON_EMPTY_TEXT", event.case);
      await assertNothingStored();
    };

    it("answers a malformed packet with MALFORMED and lives on", async () => {
      socket.raw.send(Buffer.from([0xff, 0xff, 0xff, 0xff]));
      assert.equal((await nextError()).reason, "ERROR_REASON_MALFORMED");
      await assertAlive();
    });

    it("answers an unknown command with a typed error and lives on", async () => {
      socket.raw.send(Buffer.from([0x08, 0x05, 0xfa, 0x3f, 0x00])); // request_id 5, field 1023
      const error = await nextError();
      assert.equal(error.requestId, 5);
      assert.match(error.reason, /^ERROR_REASON_(UNIMPLEMENTED|INVALID_FIELD|MALFORMED)$/);
      await assertAlive();
    });

    it("answers an empty text with INVALID_FIELD, naming the field, and lives on", async () => {
      const event = await socket.request(textTo(group.conversationId, ""));
      assert.ok(event.case === "error");
      assert.equal(event.value.reason, "ERROR_REASON_INVALID_FIELD");
      assert.equal(event.value.code, 3);
      assert.ok(
        Object.keys(event.value.metadata).some((key) => key.startsWith("field.")),
        JSON.stringify(event.value.metadata),
      );
      await assertAlive();
    });

    it("refuses a stranger with NOT_A_MEMBER and lives on", async () => {
      const other = await stranger.connect();
      const event = await other.request(textTo(group.conversationId, "let me in"));
      assert.ok(event.case === "error" && event.value.reason === "ERROR_REASON_NOT_A_MEMBER");
      await other.close();
      await assertNothingStored();
    });

    it("closes with 1009 on a frame of 65 KiB", async () => {
      socket.raw.send(Buffer.alloc(65 * 1024));
      assert.equal((await socket.closed).code, 1009);
      await assertNothingStored();
    });

    it("answers an empty frame with an empty frame", async () => {
      const answer = new Promise<Buffer>((resolve) => socket.raw.on("message", resolve));
      socket.raw.send(Buffer.alloc(0));
      assert.equal((await answer).length, 0);
    });

    it("answers bad JSON, a wrong type and an unknown field on a JSON socket, and lives on", async () => {
      const json = await alice.connect({ json: true });
      for (const text of [
        "{nope",
        '{"requestId":901,"sendMessage":{"clientMessageId":7}}',
        '{"requestId":902,"nonsense":{}}',
      ]) {
        const seen = json.packets.length;
        json.raw.send(text);
        const packet = await json.until((each) => json.packets.indexOf(each) >= seen || !json.packets.includes(each));
        assert.ok(
          packet.event.case === "error" && [3, 12].includes(packet.event.value.code),
          `${text}: ${packet.event.case}`,
        );
      }
      const event = await json.request(textTo(group.conversationId, " "));
      assert.ok(event.case === "error" && event.value.reason === "ERROR_REASON_EMPTY_TEXT");
      await json.close();
    });
  });

  describe("at the upgrade", () => {
    const refused = async (attempt: Promise<TestSocket>): Promise<UpgradeRefused> => {
      try {
        (await attempt).raw.terminate();
      } catch (error) {
        assert.ok(error instanceof UpgradeRefused, String(error));
        return error;
      }
      throw new Error("the upgrade was accepted");
    };

    it("refuses a missing, bad or misplaced token with 401", async () => {
      const url = installation().at.ws;
      for (const options of [
        { url, token: "" },
        { url, token: `${alice.token}x` },
        { url, token: "nonsense", browser: true },
        { url: `${url}?access_token=${alice.token}`, token: "" },
      ]) {
        const error = await refused(TestSocket.open(options));
        assert.equal(error.status, 401);
        assert.equal(reasonOf(JSON.parse(error.body)), "ERROR_REASON_TOKEN_INVALID");
      }
    });
  });
});
