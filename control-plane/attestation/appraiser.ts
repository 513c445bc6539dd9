import { setImmediate as breathe } from "node:timers/promises";
import { asMusterError, MusterError } from "@muster/shared/errors";
import type { Evidence } from "@muster/shared/protocol/evidence";
import type { Labels } from "@muster/shared/protocol/primitives";
import type { Stores } from "../storage/database.ts";
import { appraise } from "./appraisal/appraise.ts";
import type { DeviceHistory } from "./appraisal/history.ts";
import type { Appraisal } from "./appraisal/input.ts";
import type { AttestationPolicies } from "./policy/policies.ts";
import type { PolicyContent } from "./policy/policy.ts";
import type { ReleasePredictions } from "./predictions.ts";
import type { ReferenceBook } from "./references/reference-book.ts";
import { keptLog, requireSignature, sentBootLog, withoutLogs } from "./sent.ts";
import { entryOf, nothingKnown, standingOf } from "./standing.ts";
import type { AttestationStore, Change, KnownDevice, StoredStanding } from "./store.ts";
import type { Verdict } from "./verdict.ts";

/** Evidence that waits for its appraisal. */
export interface Waiting {
  readonly device: string;
  readonly evidence: Evidence;
  readonly how: "answer" | "offline";
  /** What its challenge asked for; null where there was none. */
  readonly asked: PolicyContent["pcrs"] | null;
}

export interface AppraiserPorts {
  stores: Pick<Stores, "writeControl">;
  store: AttestationStore;
  policies: AttestationPolicies;
  references: ReferenceBook;
  predictions: ReleasePredictions;
  /** Labels of a device, with those of its site. */
  labelsOf(device: string): Labels;
  onError(error: MusterError): void;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** Evidence appraised in one transaction. */
const AT_ONCE = 50;
/** Evidence of the whole fleet that may wait. */
const MOST_WAITING = 5_000;

/** Where a device stands within one transaction that is being put together. */
interface Draft {
  known: KnownDevice;
  history: DeviceHistory;
  evidence: Evidence | null;
  standing: StoredStanding | undefined;
}

const isBad = ({ verdict }: Appraisal): boolean => verdict.tier === "contraindicated";

/** Appraises evidence in the order in which it came, some of it in each transaction. */
export class Appraiser {
  readonly #ports: AppraiserPorts;
  readonly #waiting: { item: Waiting; done: (error?: MusterError) => void }[] = [];
  #running: Promise<void> | undefined;
  /** What reads of a device and then writes waits for each other. */
  #turn: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(ports: AppraiserPorts) {
    this.#ports = ports;
  }

  /**
   * Resolves once the verdict is stored.
   * @throws MusterError `attestation.overloaded`, `attestation.signature-invalid`, `attestation.evidence-foreign`,
   * or of the `storage.` family
   */
  take(item: Waiting): Promise<void> {
    if (this.#closed || this.#waiting.length >= MOST_WAITING)
      return Promise.reject(new MusterError("attestation.overloaded"));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, done: (error) => (error ? reject(error) : resolve()) });
      this.#run();
    });
  }

  /** Applies references and policies as they are now to the newest evidence of these devices. */
  again(devices: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      const drafts = new Map<string, Draft>();
      const changes: Change[] = [];
      for (const device of devices) {
        const draft = this.#draft(drafts, device);
        if (draft) changes.push(...this.#judgeAgain(draft));
      }
      await this.#write(changes);
    });
  }

  /** Makes a change that rests on what is on record of a device, with no appraisal in between. */
  change(device: string, make: (known: KnownDevice) => Change): Promise<void> {
    return this.#inTurn(async () => {
      const known = this.#ports.store.device(device);
      if (!known) throw new MusterError("request.not-found", `There is no device ${device}.`);
      await this.#write([make(known)]);
    });
  }

  /** Appraises what waits and takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#turn;
  }

  #run(): void {
    this.#running ??= this.#drain()
      .catch((error: unknown) => this.#ports.onError(asMusterError(error)))
      .finally(() => {
        this.#running = undefined;
        if (this.#waiting.length > 0) this.#run();
      });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      await breathe();
      await this.#inTurn(() => this.#batch(this.#waiting.splice(0, AT_ONCE)));
    }
  }

  async #batch(batch: readonly { item: Waiting; done: (error?: MusterError) => void }[]): Promise<void> {
    const drafts = new Map<string, Draft>();
    const changes: Change[] = [];
    const judged: (typeof batch)[number]["done"][] = [];
    for (const { item, done } of batch) {
      try {
        changes.push(...this.#judge(drafts, item));
        judged.push(done);
      } catch (error) {
        done(asMusterError(error));
      }
      await breathe();
    }
    let failure: MusterError | undefined;
    await this.#write(changes).catch((error: unknown) => {
      failure = asMusterError(error);
    });
    for (const done of judged) done(failure);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const next = this.#turn.then(work);
    this.#turn = next.catch(() => {});
    return next;
  }

  #draft(drafts: Map<string, Draft>, device: string): Draft | undefined {
    const drafted = drafts.get(device);
    if (drafted) return drafted;
    const { store } = this.#ports;
    const known = store.device(device);
    if (!known) return undefined;
    const draft = {
      known,
      history: known.history,
      evidence: known.evidence,
      standing: store.standing(device),
    };
    drafts.set(device, draft);
    return draft;
  }

  #judge(drafts: Map<string, Draft>, { device, evidence, how, asked }: Waiting): Change[] {
    const draft = this.#draft(drafts, device);
    if (!draft) throw new MusterError("request.not-found", `There is no device ${device}.`);
    const { payload } = evidence;
    if (payload.device !== device)
      throw new MusterError(
        "attestation.evidence-foreign",
        `The evidence names ${payload.device}, and ${device} sent it.`,
      );
    requireSignature(evidence, draft.known.binding.signingKey);
    const sent = sentBootLog(evidence);
    const bootLog = sent ? sent.content : this.#logOf(evidence);
    const appraisal = this.#appraise(draft, evidence, how, asked, bootLog);
    const { place, history } = appraisal;
    if (place === "repeat") return [];
    draft.history = history;
    const change: Change = { device, history };
    if (place === "late") {
      const entry = entryOf(draft.standing, appraisal.verdict, "offline");
      return [{ ...change, ...(entry && entry.tier !== "affirming" ? { entry } : {}) }];
    }
    // What nobody asked for may leave out what a challenge would not let it: it ends no bad verdict.
    if (how === "offline" && draft.standing?.tier === "contraindicated" && !isBad(appraisal)) return [change];
    const slim = withoutLogs(evidence);
    if (place === "newest") draft.evidence = slim;
    const standing = this.#standing(draft, appraisal.verdict, history);
    const entry = entryOf(draft.standing, standing, how === "answer" ? "challenge" : "offline");
    draft.standing = { ...standing, device };
    return [
      {
        ...change,
        standing,
        ...(place === "newest" ? { evidence: slim } : {}),
        ...(entry ? { entry } : {}),
        ...(sent ? { bootLog: { digest: sent.digest, content: sent.packed } } : {}),
      },
    ];
  }

  #judgeAgain(draft: Draft): Change[] {
    const { known } = draft;
    const device = known.binding.id;
    const policy = this.#policyOf(known);
    if (!draft.evidence || policy.mode === "off") {
      const wanted = policy.unattested === "withhold" && policy.mode === "enforce";
      if (!draft.standing && !wanted) return [];
      return this.#changed(draft, nothingKnown(policy, this.#ports.now()), device);
    }
    const { verdict } = this.#appraise(draft, draft.evidence, "again", null, this.#logOf(draft.evidence));
    return this.#changed(draft, verdict, device);
  }

  /** The boot log that evidence names, as far as it was sent before. */
  #logOf({ payload }: Evidence): Uint8Array | null {
    const digest = payload.tpm?.bootLog?.digest;
    return digest === undefined ? null : keptLog(this.#ports.store.bootLog(digest));
  }

  #changed(draft: Draft, verdict: Verdict, device: string): Change[] {
    const standing = this.#standing(draft, verdict, draft.history);
    const entry = entryOf(draft.standing, standing, "reappraisal");
    draft.standing = { ...standing, device };
    return [{ device, standing, ...(entry ? { entry } : {}) }];
  }

  #appraise(
    { known, history }: Draft,
    { payload }: Evidence,
    how: "answer" | "offline" | "again",
    asked: PolicyContent["pcrs"] | null,
    bootLog: Uint8Array | null,
  ): Appraisal {
    const policy = this.#policyOf(known);
    const { id } = known.binding;
    return appraise({
      payload,
      device: known.binding,
      how,
      asked: asked ?? policy.pcrs,
      references: this.#ports.references.matching(known.hardwareClass, this.#ports.labelsOf(id)),
      predictions: this.#ports.predictions.of(id, known.directive),
      policy,
      history,
      bootLog,
      now: this.#ports.now(),
    });
  }

  #policyOf({ site, hardwareClass }: KnownDevice): PolicyContent {
    return this.#ports.policies.of(site, hardwareClass);
  }

  #standing({ known }: Draft, verdict: Verdict, { freshAt }: DeviceHistory): Omit<StoredStanding, "device"> {
    return standingOf(verdict, this.#policyOf(known), freshAt);
  }

  async #write(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return;
    const { stores, store } = this.#ports;
    await stores.writeControl((db) => {
      for (const change of changes) store.write(db, change);
    });
  }
}
