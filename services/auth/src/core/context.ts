import type { TokenVerifier } from "@oceanchat/runtime/token";
import type {
  AccountStore,
  Notices,
  PasswordHasher,
  Profiles,
  SessionEnds,
  SessionStore,
  TokenSigner,
} from "../ports.ts";
import type { LoginThrottle } from "./throttle.ts";
import type { Turns } from "./turns.ts";

/** What the rules work with. */
export interface AuthPorts {
  readonly accounts: AccountStore;
  readonly sessions: SessionStore;
  readonly ends: SessionEnds;
  readonly notices: Notices;
  readonly passwords: PasswordHasher;
  readonly profiles: Profiles;
  readonly signer: TokenSigner;
  /** Checks an access token's signature and claims, not its session. */
  readonly verify: TokenVerifier;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A new UUIDv7. */
  readonly newId: () => string;
}

/** The limits that the rules keep. */
export interface AuthLimits {
  readonly sessionTtlSeconds: number;
  readonly refreshGraceSeconds: number;
  readonly loginFailuresPerMinute: number;
  /** What refresh tokens are made with: 32 bytes, the same in every instance. */
  readonly refreshSecret: Uint8Array;
}

/** Ports, limits, and what the rules remember between calls. */
export interface AuthContext extends AuthPorts, AuthLimits {
  readonly throttle: LoginThrottle;
  readonly registrations: Turns;
}
