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
