import { asMusterError, MusterError } from "@muster/shared/errors";
import type { Evidence } from "@muster/shared/protocol/evidence";
import type { Directory } from "../fleet/directory.ts";
import type { Presence } from "../fleet/presence.ts";
import { RateWindow } from "../ingest/rate-window.ts";
import type { RecordObserver } from "../ingest/record-observer.ts";
import type { Stores } from "../storage/database.ts";
import { Appraiser } from "./appraiser.ts";
import { type AttestationLink, Challenger } from "./challenge/challenger.ts";
import { EvidenceKeeper } from "./evidence-keeper.ts";
import { AttestationPolicies } from "./policy/policies.ts";
import type { PolicyContent } from "./policy/policy.ts";
import { ReleasePredictions } from "./predictions.ts";
import { ReferenceBook, type ReferenceInfo } from "./references/reference-book.ts";
import { AttestationReports } from "./reports.ts";
import { AttestationStore, type KnownDevice } from "./store.ts";

export interface AttestationSettings {
  /** Challenges sent within a second, at most: what a fleet that comes back at once is spread by. */
  attestationPerSecond: number;
  /** Time to answer a challenge, milliseconds. */
  attestationAnswerMs: number;
}

export interface AttestationParts {
  stores: Stores;
  directory: Directory;
  presence: Pick<Presence, "sessionOf">;
  /** Newest trust root as JSON text: it names who may sign reference sets. */
  rootText: () => Promise<string | null>;
  settings: AttestationSettings;
  random: (bytes: number) => Uint8Array;
  /** Milliseconds since the epoch. */
  clock: () => number;
  onError: (error: MusterError) => void;
}

/** Evidence taken of one device within a minute. */
const PER_MINUTE = 30;
/** Refusals put on record of one device within a minute; more only repeat. */
const REFUSALS_PER_MINUTE = 2;
/** Devices appraised anew in one transaction. */
const SLICE = 100;

/** Asks devices for evidence, appraises it, and holds what follows. */
export class Attestation {
  readonly policies: AttestationPolicies;
  readonly references: ReferenceBook;
  readonly reports: AttestationReports;
  /** Takes what devices made while nobody could ask. */
  readonly keeper: RecordObserver;
  readonly #parts: AttestationParts;
  readonly #store: AttestationStore;
  readonly #appraiser: Appraiser;
  readonly #challenger: Challenger;
  readonly #rate = new RateWindow(PER_MINUTE);
  readonly #refusals = new RateWindow(REFUSALS_PER_MINUTE);
  #again: Promise<void> = Promise.resolve();

  static async open(parts: AttestationParts): Promise<Attestation> {
    const { stores, rootText, clock } = parts;
    const policies = await AttestationPolicies.open(stores.control, clock);
    const references = await ReferenceBook.open(stores.control, rootText, clock);
    return new Attestation(parts, policies, references);
  }

  private constructor(parts: AttestationParts, policies: AttestationPolicies, references: ReferenceBook) {
    const { stores, random, clock, directory, onError, presence, settings } = parts;
    const store = new AttestationStore(stores.controlReader);
    const labelsOf = (device: string) => directory.get(device)?.effectiveLabels ?? {};
    this.policies = policies;
    this.references = references;
    this.#parts = parts;
    this.#store = store;
    this.#appraiser = new Appraiser({
      ...{ stores, store, policies, references, labelsOf, onError },
      predictions: new ReleasePredictions(stores.controlReader),
      now: clock,
    });
    this.#challenger = new Challenger({
      ...{ store, random, clock, onError },
      perSecond: settings.attestationPerSecond,
      answerMs: settings.attestationAnswerMs,
      sessionOf: (device) => presence.sessionOf(device),
      policyOf: ({ site, hardwareClass }) => policies.of(site, hardwareClass),
      referencesFor: ({ binding, hardwareClass }) => references.matching(hardwareClass, labelsOf(binding.id)),
    });
    this.keeper = new EvidenceKeeper(
      (device, evidence) => this.#appraiser.take({ device, evidence, how: "offline", asked: null }),
      (device, error) => this.#refused(device, error),
    );
    this.reports = new AttestationReports({
      ...{ store, directory, policies, references },
      unanswered: (device) => this.#challenger.unanswered(device),
      now: clock,
    });
  }

  /** Begins to ask devices, over this link. */
  start(link: AttestationLink): void {
    this.#challenger.start(link);
  }

  /** Ends asking, and appraises what has come. */
  async close(): Promise<void> {
    this.#challenger.stop();
    await this.#again.catch(() => {});
    await this.#appraiser.close();
  }

  /** A device has enrolled: where policy wants a verdict before anything new, it has none from now on. */
  enrolled(device: string): void {
    this.#appraiser.again([device]).catch((error: unknown) => this.#parts.onError(asMusterError(error)));
  }

  /** A device has begun a session: it is asked soon. @param running digest of the release that it says it runs */
  born(device: string, running: string | null): void {
    this.#challenger.born(device, running);
  }

  /** A device has told its state. */
  told(device: string, running: string | null): void {
    this.#challenger.told(device, running);
  }

  /** Takes evidence that came on `up/evidence`. Never throws: what is wrong is noted with the device. */
  take(device: string, evidence: Evidence): void {
    if (!this.#rate.passes(device, this.#parts.clock())) return;
    const { nonce, session } = evidence.payload;
    let asked: PolicyContent["pcrs"] | null = null;
    if (nonce !== null)
      try {
        asked = this.#challenger.answer(device, { nonce, session });
      } catch (error) {
        // It may still be a link of the chain that got lost on its way: it says nothing fresh.
        this.#refused(device, asMusterError(error));
      }
    const how = asked ? "answer" : "offline";
    this.#appraiser.take({ device, evidence, how, asked }).then(
      () => {
        if (how === "answer") this.#challenger.appraised(device);
      },
      (error: unknown) => this.#refused(device, asMusterError(error)),
    );
  }

  /** Asks a device now. @throws MusterError `request.conflict` for one that cannot be asked */
  refresh(device: string): void {
    this.#challenger.refresh(device);
  }

  /**
   * Forgets a fork: the next link of the device begins its chain, whatever its index.
   * @param operator name of who asks
   * @throws MusterError `request.not-found`, `request.conflict` where there is nothing to clear
   */
  async clear(device: string, reason: string, operator: string): Promise<void> {
    const at = this.#parts.clock();
    await this.#appraiser.change(device, ({ history }: KnownDevice) => {
      const { forked, putBack } = history;
      const standing = this.#store.standing(device);
      const regressed =
        standing?.findings.some(({ code }) => code === "attestation.clock-regressed") ?? false;
      if (!forked && putBack !== "found" && !regressed)
        throw new MusterError(
          "request.conflict",
          "There is no fork to clear: what else was found goes with better evidence.",
        );
      const cleared = putBack === null ? null : ("cleared" as const);
      const tier = standing?.tier ?? "none";
      const sentence = `${operator} cleared the fork: ${reason}`.slice(0, 1_000);
      return {
        device,
        history: {
          ...history,
          forked: null,
          putBack: cleared,
          clock: regressed ? null : history.clock,
          head: null,
          base: -1,
          recent: [],
          missing: [],
        },
        entry: { at, source: "operator", tier, sentence, findings: [] },
      };
    });
    if (this.#challenger.link?.isConnected(device)) this.refresh(device);
  }

  /**
   * Takes a signed reference set into force, and applies it to what is known of the devices that it is for.
   * @throws MusterError as `ReferenceBook.import`
   */
  async importReference(text: string, operator: string): Promise<ReferenceInfo> {
    const imported = await this.references.import(text, operator);
    await this.reappraise();
    return imported;
  }

  /** @throws MusterError `request.not-found` */
  async removeReference(name: string): Promise<void> {
    await this.references.remove(name);
    await this.reappraise();
  }

  /** Applies policies and references as they are now to the newest evidence of all devices. */
  reappraise(): Promise<void> {
    const work = () => this.#reappraise();
    this.#again = this.#again.then(work, work);
    return this.#again;
  }

  async #reappraise(): Promise<void> {
    this.#parts.directory.refresh();
    let after = "";
    for (;;) {
      const devices = this.#store.devicesAfter(after, SLICE);
      if (devices.length === 0) return;
      await this.#appraiser.again(devices);
      after = devices.at(-1) ?? "";
    }
  }

  #refused(device: string, error: MusterError): void {
    const { stores, clock, onError } = this.#parts;
    if (error.code.startsWith("storage.") || error.code.startsWith("internal.")) {
      onError(error);
      return;
    }
    this.#challenger.link?.note(device, error);
    const at = clock();
    if (!this.#refusals.passes(device, at)) return;
    const entry = { at, source: "refused" as const, tier: null, sentence: error.message, findings: [] };
    stores.writeControl((db) => this.#store.write(db, { device, entry })).catch(onError);
  }
}
