import { changeKeyOf, type Fixed, measurementOf } from "@muster/agent/attestation/measurement";
import { type Challenge, type Evidence, linkDigestOf, signEvidence } from "@muster/shared/protocol/evidence";
import { type Digest, PROTOCOL_VERSION } from "@muster/shared/protocol/primitives";
import type { ReportedState } from "@muster/shared/protocol/state";
import { canonicalJson } from "@muster/shared/trust/canonical-json";
import { sha256 } from "@muster/shared/trust/digest";
import type { SigningKey } from "@muster/shared/trust/ed25519";

/** Links that are sent again until the control plane has them. */
const MOST_LINKS = 4;
/** All simulated devices run one agent. */
const CODE = sha256("muster simulator agent 0.1.0");

/** Where the next link of a chain goes. */
export interface ChainPlace {
  index: number;
  previous: Digest | null;
}

/** The evidence chain of a device without a TPM: one signature for each link. In memory, as all of a simulated device. */
export class SimulatedEvidence {
  place: ChainPlace = { index: 0, previous: null };
  readonly #device: string;
  readonly #key: SigningKey;
  readonly #fixed: Fixed;
  #waiting: Evidence[] = [];
  #answered = "";
  #told: string | undefined;

  constructor(device: string, key: SigningKey, boot: string) {
    this.#device = device;
    this.#key = key;
    this.#fixed = { boot, agentVersion: "0.1.0", codeDigest: CODE, rolledBack: false };
  }

  /** Links for this challenge, oldest first. */
  answer(challenge: Challenge, state: ReportedState, journal: object, at: number): readonly Evidence[] {
    const known = challenge.have.chain ?? -1;
    this.#waiting = this.#waiting.filter(({ payload }) => payload.chain.index > known);
    this.place = { ...this.place, index: Math.max(this.place.index, known + 1) };
    if (challenge.nonce !== this.#answered) this.#link(challenge, state, journal, at);
    this.#answered = challenge.nonce;
    return this.#waiting;
  }

  /** A link that answers nobody, where what runs is not what was told last. */
  ifChanged(state: ReportedState, journal: object, at: number): Evidence | undefined {
    if (state.runner !== "ready" && state.runner !== "idle") return undefined;
    const runs = changeKeyOf({ release: state.running, components: state.components });
    return runs === this.#told ? undefined : this.#link(undefined, state, journal, at);
  }

  #link(challenge: Challenge | undefined, state: ReportedState, journal: object, at: number): Evidence {
    const measurement = measurementOf(this.#fixed, {
      state,
      journalHead: sha256(canonicalJson(journal)),
      settled: true,
    });
    const { nonce = null, session = null } = challenge ?? {};
    const body = { device: this.#device, nonce, session, at, chain: this.place, measurement, tpm: null };
    const evidence = signEvidence({ v: PROTOCOL_VERSION, ...body }, this.#key);
    this.place = { index: this.place.index + 1, previous: linkDigestOf(evidence.payload) };
    this.#waiting = [...this.#waiting, evidence].slice(-MOST_LINKS);
    this.#told = changeKeyOf({ release: state.running, components: state.components });
    return evidence;
  }
}
