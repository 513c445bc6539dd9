import type { MusterError } from "@muster/shared/errors";
import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import { keysOfInstalled } from "../keys/sealed-keys.ts";
import { asStorageError } from "../storage/errors.ts";
import type { Activation } from "./activation.ts";
import { admit } from "./admission.ts";
import { type ChoosingContext, chooseVariants } from "./choosing.ts";
import { failureKind } from "./failure-policy.ts";
import { fetchRelease } from "./fetching.ts";
import {
  type InstalledRelease,
  type InstalledReleases,
  planRelease,
  stillFits,
  withoutLosers,
} from "./installed.ts";
import type { Journal } from "./journal.ts";
import type { Attempt } from "./journal-state.ts";
import { type Effect, effectOf, type JournalEvent } from "./machine.ts";
import type { Clock, FreeBytes, HttpPort, InferencePort, LogPort, OutboxPort, ShadowPort } from "./ports.ts";
import type { ReleaseDirectories } from "./release-dir.ts";
import type { UpdateSettings } from "./settings.ts";
import type { ArtifactStore } from "./store.ts";
import type { TrustStore } from "./trust-store.ts";
import { watchProbation } from "./watch.ts";

export interface EffectContext extends ChoosingContext {
  journal: Journal;
  activation: Activation;
  trust: TrustStore;
  releases: InstalledReleases;
  directories: ReleaseDirectories;
  store: ArtifactStore;
  inference: InferencePort;
  shadow: ShadowPort;
  outbox: OutboxPort;
  log: LogPort;
  http: HttpPort;
  facts: () => HardwareFacts;
  freeBytes: FreeBytes;
  clock: Clock;
  settings: UpdateSettings;
  makeRoom: () => Promise<void>;
  /** Sees to it that there are leases of these model keys. */
  obtainKeys: (keys: readonly string[]) => Promise<void>;
  onProgress: () => void;
}

/** What came out of an effect; `also` is stored in the same transaction as the event. */
export interface Outcome {
  event: JournalEvent;
  also?: () => void;
}

const failed = (effect: Effect, error: MusterError): Outcome => ({
  event: {
    type: "failed",
    kind: failureKind(effect, error),
    failure: { code: error.code, message: error.message.slice(0, 1000) },
  },
});

/**
 * Does what the journal asks for next. Everything here may have been done before, wholly or in part. Nothing
 * comes back when the signal fired: then the journal has moved on and the outcome belongs to the past.
 */
export async function perform(context: EffectContext, signal: AbortSignal): Promise<Outcome | undefined> {
  const { attempt } = context.journal.state;
  const effect = effectOf(context.journal.state);
  if (!attempt) return undefined;
  try {
    const outcome = await EFFECTS[effect](context, attempt, signal);
    return signal.aborted ? undefined : outcome;
  } catch (error) {
    return signal.aborted ? undefined : failed(effect, asStorageError(error));
  }
}

type Perform = (
  context: EffectContext,
  attempt: Attempt,
  signal: AbortSignal,
) => Promise<Outcome | undefined>;

const EFFECTS: Record<Effect, Perform> = {
  keep: async () => undefined,
  resolve,
  fetch,
  stage,
  admit,
  activate,
  watch,
  restore,
};

const installedOf = ({ releases }: EffectContext, { order }: Attempt): InstalledRelease =>
  releases.get(order.release?.digest ?? "");

async function resolve(
  { trust, facts, releases, clock }: EffectContext,
  { order }: Attempt,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  if (!order.release) return undefined;
  const trusted = await trust.trustedManifest(order.release, signal);
  const planned = planRelease(trusted, facts());
  const known = releases.find(planned.digest);
  // What was chosen here before still holds, and may be what runs.
  const release = known && stillFits(known, facts()) ? known : planned;
  return { event: { type: "resolved" }, also: () => releases.store(release, clock.now()) };
}

async function fetch(context: EffectContext, attempt: Attempt, signal: AbortSignal): Promise<Outcome> {
  const release = installedOf(context, attempt);
  await fetchRelease(release, { ...context, signal });
  // While there is a line: what follows may have to do without.
  await context.obtainKeys(keysOfInstalled(release));
  return { event: { type: "fetched" } };
}

async function stage(
  context: EffectContext,
  { order, tries }: Attempt,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  if (!order.release) return undefined;
  // What was found damaged was fetched again: the copy that the runner loads has to be made again, too.
  if (tries > 0) await context.directories.materialise(context.releases.get(order.release.digest), true);
  await chooseVariants(context, order.release, signal);
  if (signal.aborted) return undefined;
  await context.activation.prepare(order.release, false, signal);
  return { event: { type: "staged" } };
}

async function activate(
  { activation, directories, journal }: EffectContext,
  { order }: Attempt,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  if (order.release) await activation.prepare(order.release, false, signal);
  if (signal.aborted) return undefined;
  journal.apply({ type: "switched" });
  await directories.point(order.release?.digest ?? null);
  await activation.serve(order.release);
  return { event: { type: "served" } };
}

async function watch(
  context: EffectContext,
  attempt: Attempt,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  const { activation, clock, inference, journal, settings } = context;
  const { release } = attempt.order;
  if (!activation.isUnderWay(release)) await activation.run(release, signal, false);
  const { manifest } = installedOf(context, attempt);
  const hasModels = manifest.components.some(({ type }) => type === "model");
  const event = await watchProbation({
    rule: hasModels ? manifest.probation : { ...manifest.probation, minInferences: 0 },
    before: activation.probationBase(attempt.progress),
    observed: () => inference.observed(),
    isProven: () => activation.provesWhole(release),
    store: (progress, stableMs) => journal.note({ type: "sampled", progress, stableMs }),
    clock,
    sampleMs: settings.probationSampleMs,
    storeMs: settings.probationStoreMs,
    signal,
  });
  const { releases } = context;
  const keepNeeded = () => releases.store(withoutLosers(installedOf(context, attempt)), clock.now());
  return event && { event, ...(event.type === "passed" && { also: keepNeeded }) };
}

async function restore(
  { activation, directories, journal }: EffectContext,
  _attempt: Attempt,
  signal: AbortSignal,
): Promise<Outcome> {
  const { active } = journal.state;
  await activation.discardAllBut(active?.digest);
  await directories.point(active?.digest ?? null);
  await activation.run(active, signal, true);
  return { event: { type: "restored" } };
}
