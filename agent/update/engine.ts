import { isMusterError } from "@muster/shared/errors";
import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { Digest, ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReportedState } from "@muster/shared/protocol/state";
import { canonicalJson } from "@muster/shared/trust/canonical-json";
import { sha256 } from "@muster/shared/trust/digest";
import type { Directive } from "@muster/shared/trust/directive";
import type { TrustedKeys } from "@muster/shared/trust/signed-document";
import type { Database } from "better-sqlite3";
import type { Measure } from "../choice/measure-once.ts";
import { type Acceptance, acceptDirective } from "../desired/accept.ts";
import { DesiredStore } from "../desired/store.ts";
import type { ExternalRuntimes } from "../external/runtime.ts";
import { keysOfInstalled } from "../keys/sealed-keys.ts";
import { asStorageError } from "../storage/errors.ts";
import { Activation } from "./activation.ts";
import { adoptRunning } from "./adopt.ts";
import { systemClock } from "./clock.ts";
import { freeBytesOf } from "./durable.ts";
import type { EffectContext } from "./effects.ts";
import { fetchRelease } from "./fetching.ts";
import { neededReleases, tidy } from "./housekeeping.ts";
import { InstalledReleases } from "./installed.ts";
import { Journal } from "./journal.ts";
import { type JournalState, sameRelease } from "./journal-state.ts";
import { EffectLoop } from "./loop.ts";
import type { Clock, FreeBytes, HttpPort, InferencePort, LogPort, OutboxPort, ShadowPort } from "./ports.ts";
import { ReleaseDirectories } from "./release-dir.ts";
import { defaultUpdateSettings, type UpdateSettings } from "./settings.ts";
import { ArtifactStore } from "./store.ts";
import { TrustStore } from "./trust-store.ts";

export interface UpdatePorts {
  /** Device id, the audience of directives. */
  device: string;
  /** Data directory of the agent; `tuf/root.json` in it is the pinned trust root. */
  dataDir: string;
  database: Database;
  outbox: OutboxPort;
  http: HttpPort;
  inference: InferencePort;
  /** Measures a variant on this box. */
  measure: Measure;
  /** Servers of this box that stand for providers, by their names. */
  runtimes: ExternalRuntimes;
  /** Watches a candidate beside what is live, where a directive asks for it. */
  shadow: ShadowPort;
  /** Sees to it that there are leases of these model keys; without it no sealed model can be fetched. */
  obtainKeys?: (keys: readonly string[]) => Promise<void>;
  /** What the box has now. */
  facts: () => HardwareFacts;
  log: LogPort;
  random: () => number;
  clock?: Clock;
  freeBytes?: FreeBytes;
  settings?: Partial<UpdateSettings>;
}

/** What became of a directive; `deferred` ones have to be offered again. */
export type OfferVerdict = "accepted" | "current" | "refused" | "deferred";

/** Offers that may wait for their turn. */
const MAX_WAITING_OFFERS = 16;

/** Brings the device to what the newest directive says, and back when that fails. */
export class UpdateEngine {
  readonly #ports: UpdatePorts;
  readonly #clock: Clock;
  readonly #settings: UpdateSettings;
  readonly #desired: DesiredStore;
  readonly #context: EffectContext;
  readonly #loop: EffectLoop;
  readonly #listeners: (() => void)[] = [];
  readonly #stopping = new AbortController();
  #offers: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #rootAskedAt = Number.NEGATIVE_INFINITY;

  /** Reads the journal. @throws MusterError of the storage family */
  constructor(ports: UpdatePorts) {
    this.#ports = ports;
    this.#clock = ports.clock ?? systemClock;
    this.#settings = { ...defaultUpdateSettings, ...ports.settings };
    this.#desired = new DesiredStore(ports.database);
    this.#context = this.#compose();
    this.#loop = new EffectLoop({
      ...this.#context,
      random: ports.random,
      tell: (failure) => this.#tell(failure),
    });
  }

  /** Takes up what the journal says and goes on in the background. */
  async start(): Promise<void> {
    const { journal, store, directories } = this.#context;
    await store.create();
    await adoptRunning({ ...this.#context, tell: (failure) => this.#tell(failure) });
    this.#begin(journal);
    await directories.point(journal.state.active?.digest ?? null);
    this.#loop.start();
  }

  /** A disk that is full must not keep the device from serving; what a start means is found again by the next one. */
  #begin(journal: Journal): void {
    try {
      journal.apply({ type: "started" });
    } catch (error) {
      if (!isMusterError(error, "storage.full")) throw error;
      this.#ports.log.warn({ event: "update.unstored", code: error.code }, error.message);
      journal.applyUnstored({ type: "started" });
    }
  }

  /** Stops at the next safe point; what is served goes on being served. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#offers;
    await this.#loop.stop();
  }

  /** Takes a directive as it was received; refused ones are recorded and reported once. */
  async offer(received: string | Uint8Array, source: "mqtt" | "https"): Promise<OfferVerdict> {
    if (this.#waiting >= MAX_WAITING_OFFERS || this.#stopping.signal.aborted) return "deferred";
    this.#waiting += 1;
    const result = this.#offers.then(() => this.#consider(received, source));
    this.#offers = result.catch(() => undefined);
    return result.finally(() => {
      this.#waiting -= 1;
    });
  }

  /**
   * Keys that may sign documents for this device, by the trust root in force. The root is refreshed, if it was not a
   * moment ago, when it does not know `keyId`.
   * @throws MusterError `trust.uninitialized` or `trust.metadata-invalid`
   */
  async keysFor(keyId: string): Promise<TrustedKeys> {
    const { trust } = this.#context;
    const keys = await trust.directiveKeys();
    if (Object.hasOwn(keys, keyId)) return keys;
    return (await this.#refreshKeys()) ? trust.directiveKeys() : keys;
  }

  /** Has to be called when the state of the inference port changes. */
  runnerChanged(): void {
    this.#loop.wake();
    this.#notify();
  }

  /** Has to be called when the control plane can be reached again: an update that waits for it goes on at once. */
  retryNow(): void {
    this.#loop.retryNow();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Digest of the newest entry of the journal, and whether what runs is what it says. */
  journalNow(): { head: Digest; proven: boolean } {
    const { journal, activation } = this.#context;
    return { head: sha256(canonicalJson(journal.state)), proven: activation.proves(journal.state.active) };
  }

  /** Keys of the sealed models of every release on this box, the one under way included. */
  neededKeys(): string[] {
    return [...new Set(this.#context.releases.all().flatMap(keysOfInstalled))];
  }

  state(): ReportedState {
    const { journal, activation, inference } = this.#context;
    const { active, attempt, lastResult } = journal.state;
    const status = inference.status();
    const isProven = active !== null && activation.proves(active);
    return {
      generation: this.#desired.generation(),
      running: isProven ? active : status.state === "ready" ? status.release : null,
      components: isProven ? activation.components() : status.components,
      runner: status.state,
      update: attempt && {
        generation: attempt.order.generation,
        release: attempt.order.release,
        phase: attempt.phase,
        since: attempt.since,
      },
      lastResult,
      refused: this.#desired.refused(),
    };
  }

  async #consider(received: string | Uint8Array, source: string): Promise<OfferVerdict> {
    const acceptance = await acceptDirective(received, {
      device: this.#ports.device,
      generation: this.#desired.generation(),
      floorOf: (release) => this.#desired.floor(release),
      now: this.#clock.now(),
      keysFor: (keyId) => this.keysFor(keyId),
    });
    try {
      if (acceptance.verdict === "refused") {
        if (acceptance.error.retryable) throw acceptance.error;
        return this.#refuse(acceptance, source);
      }
      if (acceptance.verdict === "newer") this.#accept(acceptance.directive, acceptance.text, source);
      return acceptance.verdict === "newer" ? "accepted" : "current";
    } catch (error) {
      const { code, message } = asStorageError(error);
      this.#ports.log.warn({ event: "directive.deferred", code, source }, message);
      return "deferred";
    }
  }

  /** The directive is stored in the transaction that makes the journal's first step of it. */
  #accept(directive: Directive, text: string, source: string): void {
    const { journal, activation } = this.#context;
    const { generation, rollout, release, notAfter, shadow } = directive.payload;
    const before = journal.state;
    journal.apply(
      {
        type: "ordered",
        order: { generation, rollout, release, notAfter, shadow },
        healthy: activation.provesWhole(before.active),
      },
      () => this.#desired.accept(directive, text, this.#clock.now()),
    );
    this.#ports.log.info(
      { event: "directive.accepted", generation, source, release: release?.digest ?? null },
      "A newer directive was accepted.",
    );
    if (!goesOn(before, journal.state)) this.#loop.interrupt();
  }

  #refuse({ generation, error }: Extract<Acceptance, { verdict: "refused" }>, source: string): OfferVerdict {
    const failure = { code: error.code, message: error.message.slice(0, 1000) };
    this.#ports.log.warn({ event: "directive.refused", generation, source, code: error.code }, error.message);
    const isNew = this.#ports.database.transaction(() => {
      const added = this.#desired.refuse(generation, failure, this.#clock.now());
      if (added)
        this.#tell({ ...failure, message: `Directive ${generation}: ${failure.message}`.slice(0, 1000) });
      return added;
    })();
    if (isNew) this.#notify();
    return "refused";
  }

  async #refreshKeys(): Promise<boolean> {
    const now = this.#clock.monotonic();
    if (now - this.#rootAskedAt < this.#settings.rootRefreshMs) return false;
    this.#rootAskedAt = now;
    await this.#context.trust.refresh(this.#stopping.signal).catch((error: unknown) => {
      this.#ports.log.warn(
        { event: "trust.refresh-failed", err: error },
        "The trust root was not refreshed.",
      );
    });
    return true;
  }

  #tell(failure: { code: string; message: string }): void {
    try {
      this.#ports.outbox.append([{ kind: "event", at: this.#clock.now(), body: failure }]);
    } catch (error) {
      if (!isMusterError(error, "outbox.full")) throw error;
      this.#ports.log.warn({ event: "update.untold", code: failure.code }, error.message);
    }
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  #compose(): EffectContext {
    const { dataDir, database, outbox, log, http, inference, shadow, facts, measure, runtimes } = this.#ports;
    const [clock, settings] = [this.#clock, this.#settings];
    const freeBytes = this.#ports.freeBytes ?? freeBytesOf;
    const journal = new Journal({ database, outbox, clock, log, settings, onStep: () => this.#notify() });
    const releases = new InstalledReleases(database);
    const store = new ArtifactStore(dataDir);
    const directories = new ReleaseDirectories(dataDir, store);
    const makeRoom = () => tidy({ releases, directories, store }, neededReleases(journal.state, false));
    const onProgress = () => this.#loop.progressed();
    const activation = new Activation({
      inference,
      releases,
      directories,
      runtimes,
      previousOf: (release) => previousOf(journal.state, release),
      repair: async (release, signal) => {
        await fetchRelease(release, { http, store, settings, freeBytes, makeRoom, signal, onProgress });
        await directories.materialise(release, true);
      },
    });
    const trust = new TrustStore(dataDir, http);
    return {
      ...{ journal, activation, trust, releases, directories, store, inference, shadow, outbox, log },
      ...{ http, facts, freeBytes },
      ...{ clock, settings, makeRoom, onProgress, measure, runtimes },
      obtainKeys: this.#ports.obtainKeys ?? (async () => {}),
      tell: (event) => this.#tell(event),
    };
  }
}

/** The release that was committed before this one. */
const previousOf = ({ committed, previous }: JournalState, release: ReleaseRef): ReleaseRef | null =>
  sameRelease(committed, release) ? previous : committed;

/** True when a newer directive leaves what is being done as it is. */
const goesOn = (before: JournalState, after: JournalState): boolean =>
  before.attempt !== null &&
  before.attempt.phase === after.attempt?.phase &&
  before.attempt.order.release?.digest === after.attempt.order.release?.digest;
