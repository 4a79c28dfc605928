/** Nothing has come on a stream for too long, but it stands: what was sent on it may yet be processed, so it need not be sent there again. */
export class Silence extends Error {
  override readonly name = "Silence";

  constructor() {
    super("the peer is silent, its stream stands");
  }
}
