import { GroupMeshService, SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { GroupRole } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
import { DirectVerdict, UserMeshService } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import type { ServiceError } from "@oceanchat/runtime/fail";
import { implement } from "@oceanchat/runtime/handlers";
import { openTestDoor } from "@oceanchat/runtime/testing";
import { createTestIssuer } from "@oceanchat/runtime/testing-tokens";

/** Auth, group and user on one door. Who writes where is allowed until `state` says otherwise. */
export async function openFakePeers() {
  const state = {
    send: SendVerdict.ALLOWED as SendVerdict,
    role: GroupRole.MEMBER as GroupRole,
    /** What is read of every group. */
    intervals: [{ fromSeq: 1n, toSeq: 0n }],
    direct: DirectVerdict.ALLOWED as DirectVerdict,
    asked: 0,
    /** What user answers instead. */
    failure: undefined as ServiceError | undefined,
  };
  const { auth, tokenFor } = createTestIssuer();
  const registrations = [
    auth,
    implement(GroupMeshService, {
      checkSend() {
        state.asked++;
        return { verdict: state.send, role: state.role };
      },
      checkRead: () => ({ intervals: state.intervals }),
    }),
    implement(UserMeshService, {
      checkDirects() {
        state.asked++;
        if (state.failure !== undefined) throw state.failure;
        return { verdict: state.direct };
      },
    }),
  ];
  const door = await openTestDoor(registrations);
  return { port: door.port, close: () => door.close(0), state, tokenFor };
}

export type FakeMeshPeers = Awaited<ReturnType<typeof openFakePeers>>;
