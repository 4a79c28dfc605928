import type { DescMethodBiDiStreaming } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import type { Addresses } from "./addresses.ts";
import type { RequestItemInit, ResponseItem } from "./handlers.ts";

export interface CallsOptions<M extends DescMethodBiDiStreaming> {
  readonly method: M;
  /** Undefined when every call names its address. */
  readonly addresses: Addresses | undefined;
  readonly log: Logger;
  /** How long a call waits for its answer when it sets nothing itself, in milliseconds. Default 5000. */
  readonly timeoutMs?: number;
  /** Calls per address that wait for an answer; one more is refused with OVERLOADED. Default 1024. */
  readonly maxInFlight?: number;
  /** Whether what is unanswered when a stream breaks is sent again to the next address, until its timeout. Default false. */
  readonly resend?: boolean;
}

export interface CallOptions {
  /** Same key, same address, as long as that address is up. Without a key the addresses take turns. */
  readonly key?: string;
  /** Exactly this address; when its stream breaks, the call fails. */
  readonly address?: string;
  readonly timeoutMs?: number;
}

/** Calls that travel in batches over one long-lived stream per address. */
export interface Calls<M extends DescMethodBiDiStreaming> {
  /** Rejects with the ServiceError that the item was answered with. */
  call(item: RequestItemInit<M>, options?: CallOptions): Promise<ResponseItem<M>>;
  /** Ends the streams; what is unanswered is rejected. */
  close(): void;
}

export declare function connectCalls<M extends DescMethodBiDiStreaming>(options: CallsOptions<M>): Calls<M>;
