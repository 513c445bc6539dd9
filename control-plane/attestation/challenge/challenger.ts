import { asMusterError, MusterError } from "@muster/shared/errors";
import type { Challenge } from "@muster/shared/protocol/evidence";
import { PROTOCOL_VERSION } from "@muster/shared/protocol/primitives";
import type { Broker } from "../../broker/broker.ts";
import { IMA_PCR } from "../appraisal/pcrs.ts";
import type { PolicyContent } from "../policy/policy.ts";
import type { ReferenceSet } from "../references/reference-set.ts";
import type { AttestationStore, KnownDevice } from "../store.ts";
import { Challenges } from "./challenges.ts";
import { Schedule } from "./schedule.ts";

/** What attestation needs of the listeners, which are made after it. */
export interface AttestationLink {
  isConnected: Broker["isConnected"];
  publishDown: Broker["publishDown"];
  /** Notes something among the events of a device. */
  note(device: string, error: MusterError): void;
}

export interface ChallengerPorts {
  store: AttestationStore;
  /** Challenges sent within a second, at most. */
  perSecond: number;
  /** Time to answer one, milliseconds. */
  answerMs: number;
  sessionOf(device: string): string | null;
  policyOf(known: KnownDevice): PolicyContent;
  referencesFor(known: KnownDevice): readonly ReferenceSet[];
  random: (bytes: number) => Uint8Array;
  /** Milliseconds since the epoch. */
  clock: () => number;
  onError: (error: MusterError) => void;
}

/** How often those are asked whose turn it is. */
const TICK_MS = 250;
/** A device is asked within this time after its birth, and after a change of what it runs. */
const BORN_MS = 500;
const CHANGED_MS = 2_000;
/** One that did not pass in full is asked again between this time and twice as long. */
const UNSURE_MS = 300_000;

/** Asks devices for evidence at a steady pace: after a birth, after a change, every so often, and when told to. */
export class Challenger {
  readonly #ports: ChallengerPorts;
  readonly #challenges: Challenges;
  readonly #schedule: Schedule;
  /** Digest of the release that each device said that it runs. */
  readonly #running = new Map<string, string | null>();
  /** Something changed while their answer was awaited. */
  readonly #askAgain = new Set<string>();
  #link: AttestationLink | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(ports: ChallengerPorts) {
    this.#ports = ports;
    this.#challenges = new Challenges(ports.random);
    this.#schedule = new Schedule(() => Buffer.from(ports.random(4)).readUInt32BE() / 2 ** 32);
  }

  start(link: AttestationLink): void {
    this.#link = link;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  get link(): AttestationLink | undefined {
    return this.#link;
  }

  /** A device has begun a session. */
  born(device: string, running: string | null): void {
    this.#running.set(device, running);
    this.#schedule.soon(device, this.#ports.clock(), BORN_MS);
  }

  /** A device has told its state. What it says that it runs is asked to be proven once it changes. */
  told(device: string, running: string | null): void {
    if (this.#running.get(device) === running) return;
    this.#running.set(device, running);
    this.#schedule.soon(device, this.#ports.clock(), CHANGED_MS);
  }

  /**
   * Asks a device now.
   * @throws MusterError `request.conflict` for one that is not connected, or that policy does not ask
   */
  refresh(device: string): void {
    const known = this.#ports.store.device(device);
    if (known && this.#ports.policyOf(known).mode === "off")
      throw new MusterError("request.conflict", "The attestation policy is off for this device.");
    if (!this.#link?.isConnected(device))
      throw new MusterError(
        "request.conflict",
        "The device is not connected: it is asked when it comes back.",
      );
    this.#schedule.soon(device, this.#ports.clock(), 0);
    this.#tick();
  }

  /**
   * Takes a nonce as answered, and says what its challenge had asked for.
   * @throws MusterError as `Challenges.answer`
   */
  answer(device: string, given: { nonce: string; session: string | null }): PolicyContent["pcrs"] {
    const { sessionOf, clock } = this.#ports;
    return this.#challenges.answer(device, given, sessionOf(device), clock());
  }

  /** The answer of a device was appraised: it is asked again when policy says, and earlier where it was not good. */
  appraised(device: string): void {
    const { store, policyOf, clock } = this.#ports;
    const known = store.device(device);
    if (known) this.#schedule.answered(device, clock(), policyOf(known).intervalMs);
    if (this.#askAgain.delete(device)) this.#schedule.soon(device, clock(), CHANGED_MS);
    // It may get better soon, as one does in the middle of an update, or whose TPM failed once.
    if (store.standing(device)?.tier !== "affirming")
      this.#schedule.soon(device, clock(), UNSURE_MS, UNSURE_MS);
  }

  /** Challenges since its last answer. */
  unanswered(device: string): number {
    return this.#schedule.unanswered(device);
  }

  #tick(): void {
    const { perSecond, clock } = this.#ports;
    const now = clock();
    const most = Math.max(1, Math.round((perSecond * TICK_MS) / 1000));
    for (const device of this.#schedule.due(now, most)) this.#ask(device, now);
  }

  #ask(device: string, now: number): void {
    const { store, sessionOf, policyOf, answerMs, onError } = this.#ports;
    const session = sessionOf(device);
    const known = store.device(device);
    // It is asked when it is born again.
    if (!known || session === null || !this.#link?.isConnected(device)) {
      this.#schedule.forget(device);
      return;
    }
    const awaited = this.#challenges.awaited(device, session, now);
    if (awaited !== undefined) {
      // A second nonce would make the answer to the first one worthless.
      this.#askAgain.add(device);
      this.#schedule.later(device, awaited);
      return;
    }
    const policy = policyOf(known);
    this.#schedule.asked(device, now, policy.intervalMs);
    if (policy.mode === "off") return;
    const notAfter = now + answerMs;
    const pcrs = { bank: policy.pcrs.bank, indices: this.#indicesOf(known, policy) };
    const nonce = this.#challenges.open(device, session, pcrs, notAfter);
    const have = this.#haveOf(known);
    const challenge: Challenge = { v: PROTOCOL_VERSION, session, nonce, notAfter, pcrs, have };
    this.#link
      .publishDown(device, "challenge", JSON.stringify(challenge))
      .catch((error: unknown) => onError(asMusterError(error)));
  }

  /** PCRs of the policy, and the kernel's where a reference set has rules for its list; the agent adds its own. */
  #indicesOf(known: KnownDevice, policy: PolicyContent): number[] {
    const wanted = new Set(policy.pcrs.indices);
    const hasRules = this.#ports.referencesFor(known).some(({ ima }) => ima);
    if (hasRules) wanted.add(IMA_PCR);
    return [...wanted].sort((a, b) => a - b);
  }

  #haveOf({ history, evidence }: KnownDevice): Challenge["have"] {
    const digest = evidence?.payload.tpm?.bootLog?.digest;
    return {
      bootLog: digest !== undefined && this.#ports.store.hasBootLog(digest) ? digest : null,
      ima: history.ima?.state.count ?? 0,
      chain: history.head?.index ?? null,
    };
  }
}
