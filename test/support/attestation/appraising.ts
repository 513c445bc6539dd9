import { appraise } from "@muster/control-plane/attestation/appraisal/appraise";
import { type DeviceHistory, newHistory } from "@muster/control-plane/attestation/appraisal/history";
import type {
  Appraisal,
  AppraisalInput,
  Predictions,
} from "@muster/control-plane/attestation/appraisal/input";
import { unpack } from "@muster/control-plane/attestation/appraisal/unpack";
import { DEFAULT_POLICY } from "@muster/control-plane/attestation/policy/policy";
import type { ReferenceSet } from "@muster/control-plane/attestation/references/reference-set";
import type { Challenge, Evidence } from "@muster/shared/protocol/evidence";
import type { MadeBox } from "./made-box.ts";
import { Prover } from "./prover.ts";

const DEVICE = "daaaaaaaaaaaaaaaaaaaa";

const nothingTold: Predictions = { current: null, former: [], generation: 0, signed: () => undefined };

/** A control plane of one device, as far as appraisal goes: it challenges, appraises and remembers. */
export class Appraising {
  readonly prover: Prover;
  readonly box: MadeBox | undefined;
  history: DeviceHistory;
  references: ReferenceSet[] = [];
  predictions: Predictions = nothingTold;
  policy = DEFAULT_POLICY;
  now = 1_800_000_000_000;
  #bootLog: Uint8Array | null = null;
  #nonces = 0;

  constructor(box?: MadeBox) {
    this.box = box;
    this.prover = new Prover(DEVICE, box?.quoting);
    this.prover.now = () => this.now;
    this.history = newHistory(this.prover.key.publicKey);
  }

  challenge(): Challenge {
    this.#nonces += 1;
    const ima = this.references.some((each) => each.ima) ? [10] : [];
    return {
      v: 1,
      session: "session-0001",
      nonce: this.#nonces.toString(16).padStart(64, "0"),
      notAfter: this.now + 60_000,
      pcrs: { bank: "sha256", indices: [...this.policy.pcrs.indices, ...ima] },
      have: {
        bootLog: null,
        ima: this.history.ima?.state.count ?? 0,
        chain: this.history.head?.index ?? null,
      },
    };
  }

  /** Asks, and appraises the answer. */
  async ask(change: (evidence: Evidence) => Evidence = (same) => same): Promise<Appraisal["verdict"]> {
    const challenge = this.challenge();
    return this.judge(change(await this.prover.link(challenge)), "answer", challenge.pcrs).verdict;
  }

  judge(
    { payload }: Evidence,
    how: AppraisalInput["how"] = "offline",
    asked: AppraisalInput["asked"] = this.policy.pcrs,
  ): Appraisal {
    const packed = payload.tpm?.bootLog?.gzip;
    if (packed) this.#bootLog = unpack(Buffer.from(packed, "base64"));
    const appraisal = appraise({
      payload,
      device: {
        id: DEVICE,
        signingKey: this.prover.key.publicKey,
        assurance: this.box ? "tpm-pinned" : "software",
        akName: this.box?.akName ?? null,
        akPublic: this.box?.akPublic ?? null,
      },
      how,
      asked,
      references: this.references,
      predictions: this.predictions,
      policy: this.policy,
      history: this.history,
      bootLog: payload.tpm?.bootLog ? this.#bootLog : null,
      now: this.now,
    });
    this.history = appraisal.history;
    return appraisal;
  }
}

export const codesOf = ({ findings }: Appraisal["verdict"]): string[] =>
  findings.map(({ code }) => code.replace("attestation.", ""));
