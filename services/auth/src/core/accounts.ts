import type { LoginRequest, RegisterRequest, Tokens } from "@oceanchat/gen/oceanchat/auth/v1/auth_service_pb";
import type { User } from "@oceanchat/gen/oceanchat/user/v1/user_pb";
import { ServiceError, shared } from "@oceanchat/runtime/fail";
import type { Caller } from "@oceanchat/runtime/handlers";
import { errors } from "../errors.ts";
import type { Account, Origin } from "../ports.ts";
import type { AuthContext } from "./context.ts";
import { ending } from "./ends.ts";
import { beginSession, liveSession } from "./sessions.ts";

/** What a login answers. */
export interface LoggedIn {
  readonly user: User;
  readonly tokens: Omit<Tokens, "$typeName">;
}

/** Creates an account: first the unique username, then the profile, then the session. A repeat finishes what a crash left. */
export function register(context: AuthContext, request: RegisterRequest, origin: Origin): Promise<LoggedIn> {
  return context.registrations.run(request.username, async () => {
    const known = await context.accounts.accountByUsername(request.username);
    const account = known ?? (await createAccount(context, request));
    if (known !== undefined) await mayFinish(context, known, request, origin);
    return enter(context, account, request.device, origin);
  });
}

async function createAccount({ accounts, passwords, newId, now }: AuthContext, request: RegisterRequest) {
  const account: Account = {
    userId: newId(),
    username: request.username,
    passwordHash: await passwords.hash(request.password),
    createTime: new Date(now()),
    pending: {
      displayName: request.displayName.trim() || request.username,
      deviceId: request.device?.deviceId ?? "",
    },
  };
  if (!(await accounts.createAccount(account))) throw errors.usernameTaken();
  return account;
}

/** An account without a profile is an unfinished registration: the device that began it finishes it by a repeat. */
async function mayFinish(context: AuthContext, account: Account, request: RegisterRequest, origin: Origin) {
  if (account.pending === undefined || account.pending.deviceId !== request.device?.deviceId) {
    throw errors.usernameTaken();
  }
  const verdict = await tryPassword(context, account.username, account, request.password, origin);
  if (verdict === "wrong") throw errors.usernameTaken();
}

/** Begins a session for whoever knows the password. */
export async function login(context: AuthContext, request: LoginRequest, origin: Origin): Promise<LoggedIn> {
  const username = request.username.toLowerCase();
  const account = await context.accounts.accountByUsername(username);
  const verdict = await tryPassword(context, username, account, request.password, origin);
  if (account === undefined || verdict === "wrong") throw errors.invalidCredentials();
  if (verdict === "outdated") await rehash(context, account, request.password);
  return enter(context, account, request.device, origin);
}

/** Replaces the caller's password and ends his other sessions. */
export async function changePassword(
  context: AuthContext,
  caller: Caller,
  passwords: { readonly currentPassword: string; readonly newPassword: string },
  origin: Origin,
): Promise<void> {
  await liveSession(context, caller);
  const account = await context.accounts.accountById(caller.userId);
  if (account === undefined) throw shared.sessionRevoked();
  const verdict = await tryPassword(context, account.username, account, passwords.currentPassword, origin);
  if (verdict === "wrong") throw errors.invalidCredentials();
  const changed = await context.passwords.hash(passwords.newPassword);
  if (!(await context.accounts.replacePasswordHash(account.userId, account.passwordHash, changed))) {
    throw errors.invalidCredentials(); // somebody else has changed it in the meantime
  }
  const { userId, sessionId } = caller;
  await ending(context, userId, () => context.sessions.endSessionsOf(userId, sessionId));
}

/** Every way to try a password goes through here: it counts failures and takes the same time whether the account exists. */
async function tryPassword(
  { throttle, passwords }: AuthContext,
  username: string,
  account: Account | undefined,
  password: string,
  origin: Origin,
) {
  const notFailed = throttle.admit(username, origin.remoteAddress);
  let wrong = false;
  try {
    const verdict = await passwords.verify(password, account?.passwordHash);
    wrong = verdict === "wrong";
    return verdict;
  } finally {
    if (!wrong) notFailed();
  }
}

async function rehash({ accounts, passwords }: AuthContext, account: Account, password: string): Promise<void> {
  try {
    await accounts.replacePasswordHash(account.userId, account.passwordHash, await passwords.hash(password));
  } catch (error) {
    // No reason to refuse a good login: the next one tries again.
    if (!(error instanceof ServiceError)) throw error;
  }
}

/** The profile first: a session without one would be a user whom nobody can see. */
async function enter(
  context: AuthContext,
  account: Account,
  device: LoginRequest["device"],
  origin: Origin,
): Promise<LoggedIn> {
  if (device === undefined) throw shared.invalidFields([{ field: "device", description: "value is required" }]);
  const { userId, username, pending } = account;
  const user = await context.profiles.ensure(
    { userId, username, displayName: pending?.displayName ?? username },
    origin,
  );
  if (pending !== undefined) await context.accounts.profileCreated(userId);
  return { user, tokens: await beginSession(context, userId, device) };
}
