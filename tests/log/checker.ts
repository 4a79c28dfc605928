import { checkOrder, checkPlaces } from "./checks/order.ts";
import { checkFreshness, checkMembership, checkUnread } from "./checks/shown.ts";
import { checkAccepted, checkNothingElse, checkRepeats } from "./checks/stored.ts";
import type { FinalState, History, Violation } from "./history.ts";
import { Memberships } from "./membership.ts";

/**
 * What must hold of the message log, whatever happened meanwhile, once it has come to rest:
 *
 * | C1 | every accepted record is stored exactly once, in the place that was answered |
 * | C2 | nothing is stored that nobody sent, and nothing that was refused |
 * | C3 | seqs are gapless and unique; the store, the log and every member's list are the same |
 * | C4 | what was accepted first lies first |
 * | C5 | a read that begins after an acceptance shows it, and never less than the same reader saw before |
 * | C6 | nobody is shown anything outside his membership |
 * | C7 | read cursors are the highest that was asked for; unread is a recount |
 * | C10 | all tries of one operation are one record |
 */
export function check(history: History, final: FinalState): Violation[] {
  const memberships = new Memberships(final.stream, final.openHistory);
  return [
    ...checkAccepted(history, final),
    ...checkNothingElse(history, final),
    ...checkPlaces(history, final, memberships),
    ...checkOrder(history),
    ...checkFreshness(history, memberships),
    ...checkMembership(history, final, memberships),
    ...checkUnread(history, final, memberships),
    ...checkRepeats(history, final),
  ];
}
