import { randomUUID } from "node:crypto";
import { type RestAnswer, rest, restOk } from "./rest.ts";
import { type SocketOptions, TestSocket } from "./socket.ts";

/** What a user-level test needs to know of the installation. */
export interface Edge {
  readonly edge: string;
  readonly ws: string;
  /** How many gateways there are; several, where it isn't said. */
  readonly gateways?: number;
}

/** A record in JSON, as far as tests look at it. */
export interface JsonRecord {
  readonly conversationId: string;
  readonly seq: string;
  readonly recordId: string;
  readonly senderUserId: string;
  readonly message?: {
    readonly clientMessageId: string;
    readonly content: { readonly text?: { readonly text: string } };
  };
  readonly acceptedTime: string;
  readonly membership?: {
    readonly joined: readonly string[];
    readonly left: readonly string[];
    readonly removed: readonly string[];
    readonly version: string;
  };
}

interface RegisterBody {
  readonly user: { readonly userId: string; readonly username: string };
  readonly tokens: { readonly accessToken: string; readonly refreshToken: string; readonly sessionId: string };
}

const PASSWORD = "correct horse battery";

/** A user with one device, who speaks to OceanChat only through the edge. */
export class TestUser {
  readonly at: Edge;
  readonly userId: string;
  readonly username: string;
  readonly deviceId: string;
  readonly token: string;
  readonly refreshToken: string;
  readonly sessionId: string;

  constructor(at: Edge, deviceId: string, { user, tokens }: RegisterBody) {
    this.at = at;
    this.deviceId = deviceId;
    this.userId = user.userId;
    this.username = user.username;
    this.token = tokens.accessToken;
    this.refreshToken = tokens.refreshToken;
    this.sessionId = tokens.sessionId;
  }

  /** Registers somebody new. */
  static async register(at: Edge, name = "user"): Promise<TestUser> {
    const deviceId = randomUUID();
    const body = await restOk<RegisterBody>(at.edge, "POST", "/auth/register", {
      body: {
        username: `${name}-${randomUUID().slice(0, 8)}`,
        password: PASSWORD,
        displayName: name,
        device: { deviceId, platform: "PLATFORM_WEB", name: "test" },
      },
    });
    return new TestUser(at, deviceId, body);
  }

  /** The same user by another session: on another device, unless one is named. */
  async login(deviceId: string = randomUUID(), password: string = PASSWORD): Promise<TestUser> {
    const device = { deviceId, platform: "PLATFORM_WEB", name: "test" };
    const body = { username: this.username, password, device };
    return new TestUser(this.at, deviceId, await restOk<RegisterBody>(this.at.edge, "POST", "/auth/login", { body }));
  }

  call(method: string, path: string, body?: unknown): Promise<RestAnswer> {
    return rest(this.at.edge, method, path, { token: this.token, ...(body === undefined ? {} : { body }) });
  }

  ok<T>(method: string, path: string, body?: unknown): Promise<T> {
    return restOk<T>(this.at.edge, method, path, { token: this.token, ...(body === undefined ? {} : { body }) });
  }

  /** Connects a socket. */
  connect(options: Omit<Partial<SocketOptions>, "token" | "url"> = {}): Promise<TestSocket> {
    return TestSocket.open({ url: this.at.ws, token: this.token, ...options });
  }

  /** Connects until the edge happens to choose another gateway than the one given; where there is only that one, to it. */
  async connectElsewhere(
    gatewayId: string,
    options: Omit<Partial<SocketOptions>, "token" | "url"> = {},
  ): Promise<TestSocket> {
    for (let tries = 0; tries < 40; tries++) {
      const socket = await this.connect(options);
      if (socket.hello.gatewayId !== gatewayId || this.at.gateways === 1) return socket;
      await socket.close();
    }
    throw new Error(`40 connections all came to ${gatewayId}`);
  }

  async createGroup(
    members: readonly TestUser[],
    name = "group",
  ): Promise<{ groupId: string; conversationId: string }> {
    const { group } = await this.ok<{ group: { groupId: string; conversationId: string } }>("POST", "/groups", {
      name,
      memberIds: members.map(({ userId }) => userId),
      clientGroupId: randomUUID(),
    });
    return group;
  }

  /** Sends a text by REST. */
  send(target: Target, text: string, clientMessageId: string = randomUUID()): Promise<RestAnswer> {
    return this.call("POST", "/messages", { ...target, clientMessageId, content: { text: { text } } });
  }

  /** All records of a conversation as the log has them, read page by page. */
  async records(conversationId: string, pageSize = 200): Promise<JsonRecord[]> {
    const records: JsonRecord[] = [];
    for (let after = "0", more = true; more; ) {
      const page = await this.ok<{ records: JsonRecord[]; hasMore: boolean }>(
        "GET",
        `/conversations/${conversationId}/records?afterSeq=${after}&limit=${pageSize}&raw=true`,
      );
      records.push(...page.records);
      after = records.at(-1)?.seq ?? after;
      more = page.hasMore;
    }
    return records;
  }
}

/** Where a message goes. */
export type Target = { readonly conversationId: string } | { readonly userId: string } | { readonly groupId: string };

/** The socket command that sends a text. */
export function textTo(conversationId: string, text: string, clientMessageId: string = randomUUID(), attempt = 1) {
  return {
    case: "sendMessage",
    value: {
      target: { case: "conversationId", value: conversationId },
      clientMessageId,
      attempt,
      content: { kind: { case: "text", value: { text } } },
    },
  } as const;
}

/** The id of the direct conversation of two users. */
export function directId(a: string, b: string): string {
  return a < b ? `d_${a}_${b}` : `d_${b}_${a}`;
}
