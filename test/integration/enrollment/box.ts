import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Identity, type IdentityTpm } from "@muster/agent/identity/identity";
import type { NewJoinToken } from "@muster/control-plane/enrollment/join-tokens";
import { formatJoinToken } from "@muster/shared/trust/join-token";
import type { TestFleet } from "../../support/fleet/fleet.ts";
import { HARDWARE } from "../../support/fleet/keys.ts";

/** A box as far as enrollment goes: the identity of the real agent in a folder of its own. */
export class EnrollingBox {
  readonly directory: string;
  readonly fleet: TestFleet;

  private constructor(fleet: TestFleet, directory: string) {
    this.fleet = fleet;
    this.directory = directory;
  }

  static async make(fleet: TestFleet): Promise<EnrollingBox> {
    return new EnrollingBox(fleet, await mkdtemp(join(tmpdir(), "muster-box-")));
  }

  get identityDirectory(): string {
    return join(this.directory, "identity");
  }

  open(tpm?: IdentityTpm): Promise<Identity> {
    return Identity.open(this.identityDirectory, tpm);
  }

  /** What the agent asks with a join token. */
  order(token: string, now = Date.now()) {
    return {
      server: `https://localhost:${this.fleet.httpsPort}`,
      token,
      name: null,
      labels: {},
      hardware: HARDWARE,
      timeoutMs: 10_000,
      now,
    };
  }

  /** Opens the identity and enrolls it. */
  async enroll(tpm: IdentityTpm | undefined, token: string, now?: number): Promise<Identity> {
    const identity = await this.open(tpm);
    await identity.enroll(this.order(token, now), () => undefined);
    return identity;
  }

  remove(): Promise<void> {
    return rm(this.directory, { recursive: true, force: true });
  }
}

/** A join token as an operator hands it out. */
export async function joinToken(fleet: TestFleet, more: Partial<NewJoinToken> = {}, now = Date.now()) {
  const created = await fleet.tokens.create({
    site: "eu/berlin-1",
    uses: 1,
    expiresAt: now + 3_600_000,
    ...more,
  });
  return formatJoinToken({ ...created, rootPin: null });
}
