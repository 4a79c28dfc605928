import type { SendTask } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import type { PublicJwk } from "@oceanchat/runtime/token";

/** One notification for one device, as a provider needs it: what may be shown has been decided before. */
export interface PushNotification {
  readonly recordId: string;
  readonly conversationId: string;
  /** Whom it is for: a phone may have several accounts. */
  readonly userId: string;
  readonly title: string;
  /** Shortened by the provider's adapter until the payload fits. */
  readonly body: string;
  /** The number on the app's icon; undefined leaves it as it is. */
  readonly badge: number | undefined;
  /** Notifications of the same id replace each other on the device. At most 64 bytes; the record id. */
  readonly collapseId: string;
  /** Further facts for the app, handed over as they are. */
  readonly data: Readonly<Record<string, string>>;
  /** When it is no longer worth delivering, in milliseconds of Unix time. */
  readonly expiresAtMs: number;
  /** Wakes the app without showing anything: title, body and badge are not sent. */
  readonly silent: boolean;
}

/**
 * What a `retry` is about: the `provider` as a whole (the breaker counts it), only this `device` (a quota of its own),
 * or the `local` adapter, which is full or closing.
 */
export type RetryScope = "provider" | "device" | "local";

/** How a send ended. */
export type SendOutcome =
  | { readonly kind: "sent"; readonly providerMessageId: string }
  /** The token is good for nothing; delete it if it was registered before `since` (milliseconds; always, if undefined). */
  | { readonly kind: "invalid-token"; readonly since?: number }
  /**
   * Not delivered for now, or unknown (a timeout): send it again with the same ids, not before `afterMs` if it is given.
   */
  | { readonly kind: "retry"; readonly scope: RetryScope; readonly afterMs?: number; readonly reason: string }
  /** This notification will never be taken. */
  | { readonly kind: "rejected"; readonly reason: string };

/** The names of the providers, as they stand in a registered token and in the subject `push.offline.send.<name>`. */
export type ProviderName = "apns" | "fcm" | "webhook";

/** Someone who brings notifications to devices. */
export interface PushProvider {
  readonly name: ProviderName;
  /** Never throws for anything that the provider or the network does; ends within the adapter's timeout. */
  send(token: string, notification: PushNotification): Promise<SendOutcome>;
  /** Takes no more, waits for what is under way (at most one timeout) and closes the connections. */
  close(): Promise<void>;
}

/** A device that is registered for notifications. */
export interface RegisteredToken {
  /** Hash of provider and token: a provider's token is registered once, whoever holds it. */
  readonly tokenId: string;
  readonly userId: string;
  readonly deviceId: string;
  readonly provider: ProviderName;
  /** The provider's own token: a secret, never logged. */
  readonly token: string;
  /** When it was registered, in milliseconds since the epoch. */
  readonly createdAtMs: number;
}

/** What was decided about a notification for one device, kept for 7 days. */
export interface Decision {
  readonly recordId: string;
  readonly tokenId: string;
  readonly userId: string;
  readonly deviceId: string;
  /** For instance `sending`, `sent`, `invalid_token`, `rejected`, `given_up`. */
  readonly decision: string;
  readonly detail: string;
  /** In milliseconds since the epoch. */
  readonly decidedAtMs: number;
}

/** Where tokens and decisions are kept. */
export interface PushStore {
  /** Registers a token, takes it from whoever held it, and removes the device's earlier one of that provider. */
  register(token: RegisteredToken): Promise<void>;
  /** The tokens of some users, at most 1000, in no particular order. */
  tokensOf(userIds: readonly string[]): Promise<readonly RegisteredToken[]>;
  token(tokenId: string): Promise<RegisteredToken | undefined>;
  /** Removes a token that is still the user's. */
  remove(userId: string, tokenId: string): Promise<void>;
  /** Removes a token that a provider calls invalid, unless it was registered again after that time. */
  removeInvalid(tokenId: string, registeredBeforeMs: number): Promise<void>;
  /** Notes that a notification is about to be sent; answers with an earlier decision about the same record and device. */
  claim(decision: Decision): Promise<Decision | undefined>;
  decide(decision: Decision): Promise<void>;
  /** What was decided for a user about a record, the oldest first. */
  decisions(userId: string, recordId: string): Promise<readonly Decision[]>;
}

/** Hands work from the decision to the provider's own queue, once per record and device. */
export interface SendQueue {
  enqueue(provider: ProviderName, task: SendTask): Promise<void>;
}

/** Other services. */
export interface PushPeers {
  signingKeys(): Promise<readonly PublicJwk[]>;
  /** Which of at most 1000 users have a connection that was made at a time, in milliseconds since the epoch, or after it. */
  connectedSince(userIds: readonly string[], sinceMs: number): Promise<ReadonlySet<string>>;
  /** A user's name to show; undefined when there is no such user. */
  displayName(userId: string): Promise<string | undefined>;
}
