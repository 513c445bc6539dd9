import { randomBytes } from "node:crypto";
import {
  type Challenge,
  type Evidence,
  type EvidencePayload,
  linkDigestOf,
  type Measurement,
  qualifyingDataOf,
  signEvidence,
  type TpmEvidence,
} from "@muster/shared/protocol/evidence";
import { type SigningKey, signingKeyFrom } from "@muster/shared/trust/ed25519";

const digest = (digit: string): `sha256:${string}` => `sha256:${digit.repeat(64)}`;

/** What a device without a release says of itself. */
export const idleMeasurement = (more: Partial<Measurement> = {}): Measurement => ({
  boot: "boot-0001",
  agent: { version: "0.1.0", digest: digest("e") },
  journal: { generation: 0, phase: null, head: digest("0") },
  release: null,
  runner: "idle",
  components: [],
  rolledBack: false,
  ...more,
});

/** Quotes with this qualifying data. */
export type Quoting = (qualifyingData: Uint8Array, challenge: Challenge | null) => Promise<TpmEvidence>;

/** The attesting side of a device that exists only in a test: a key, a chain, and a TPM where one is given. */
export class Prover {
  readonly key: SigningKey;
  readonly device: string;
  /** What the next link says. */
  measurement: Measurement = idleMeasurement();
  /** Milliseconds since the epoch. */
  now: () => number = Date.now;
  index = 0;
  previous: string | null = null;
  readonly #quoting: Quoting | undefined;

  constructor(device: string, quoting?: Quoting, key: SigningKey = signingKeyFrom(randomBytes(32))) {
    this.device = device;
    this.key = key;
    this.#quoting = quoting;
  }

  /** The next link of the chain: an answer to a challenge, or one that nobody asked for. */
  async link(challenge: Challenge | null = null): Promise<Evidence> {
    const rest: EvidencePayload = {
      v: 1,
      device: this.device,
      nonce: challenge?.nonce ?? null,
      session: challenge?.session ?? null,
      at: this.now(),
      chain: { index: this.index, previous: this.previous },
      measurement: this.measurement,
      tpm: null,
    };
    const tpm = this.#quoting ? await this.#quoting(qualifyingDataOf(rest), challenge) : null;
    const payload = { ...rest, tpm };
    this.index += 1;
    this.previous = linkDigestOf(payload);
    return signEvidence(payload, this.key);
  }

  /** Another holder of the same key and chain: a copy of the disk. */
  copy(): Prover {
    const copied = new Prover(this.device, this.#quoting, this.key);
    copied.index = this.index;
    copied.previous = this.previous;
    copied.measurement = this.measurement;
    copied.now = this.now;
    return copied;
  }
}
