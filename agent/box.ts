import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { asMusterError, type MusterError } from "@muster/shared/errors";
import { canonicalJson } from "@muster/shared/trust/canonical-json";
import { sha256 } from "@muster/shared/trust/digest";
import type { Database } from "better-sqlite3";
import { BoxTpm } from "./box-tpm.ts";
import type { BoxFile } from "./config/box-file.ts";
import { keptBoxFile } from "./config/kept-box-file.ts";
import type { Settings } from "./config/settings.ts";
import { exampleSpool } from "./examples/box-capture.ts";
import { bootId } from "./health/boot.ts";
import { Facts } from "./health/facts.ts";
import { Identity, type IdentityTpm } from "./identity/identity.ts";
import { unlockPatiently } from "./identity/unlock-patiently.ts";
import { detectRuntime } from "./inference/detect-runtime.ts";
import type { Log } from "./log.ts";
import { Notices } from "./outbox/notices.ts";
import { type NewRecord, Outbox } from "./outbox/outbox.ts";
import { openDatabase } from "./storage/database.ts";
import { privateDirectory, writeAtomically } from "./storage/files.ts";
import { AGENT_VERSION } from "./version.ts";

const MIB = 1024 * 1024;

export const newId = (): string => randomBytes(12).toString("base64url");

/** What the box has on its disk and knows about itself: everything that needs no other process. */
export interface Box {
  settings: Settings;
  /** What its owner says of it. */
  file: BoxFile;
  /** Why `box.json` as it is cannot be used, one sentence; null where it can. */
  fileFault: string | null;
  boot: string;
  database: Database;
  outbox: Outbox;
  notices: Notices;
  tpm: BoxTpm;
}

export const socketOf = (settings: Settings): string => join(settings.data, "run", "agent.sock");
/** @param tpm seals the keys and vouches for them; undefined on a box without one */
const identityDirectory = ({ data }: Settings): string => join(data, "identity");
export const identityOf = (settings: Settings, tpm: IdentityTpm | undefined): Promise<Identity> =>
  Identity.open(identityDirectory(settings), tpm);

/**
 * The identity of the box. That of an enrolled one may come with closed keys, see `openKeys`: a TPM takes its time, and
 * what runs here does not wait for it. A box that was never enrolled has nothing to run.
 * @throws MusterError `settings.invalid`, of the `tpm.` family
 */
export const openIdentity = async ({ settings, tpm }: Box): Promise<Identity> =>
  (await Identity.closed(identityDirectory(settings))) ?? (await identityOf(settings, await tpm.get()));

/** Opens the keys of an enrolled box behind what runs here, as soon as its TPM does. */
export function openKeys({ tpm, notices }: Box, identity: Identity, log: Log, signal: AbortSignal): void {
  if (!identity.closedBy) return;
  const waiting = ({ code, message }: MusterError): void => {
    const told = `The keys of this device stay closed, so it goes on without the control plane: ${message}`;
    log.error({ code }, told);
    notices.note(code, told);
  };
  const notSealed = ({ code, message }: MusterError): void => {
    const told = `The TPM does not seal the keys of this device, which lie open on its disk: ${message}`;
    log.error({ code }, told);
    notices.note(code, told);
  };
  const unlock = () => identity.unlock(() => tpm.get(), notSealed);
  void unlockPatiently(unlock, Math.random, waiting, signal);
}

/**
 * Opens database and outbox; the loss of a broken database is the first event of the new one. A `box.json` that cannot be
 * used is told and does not keep the box from what it did before.
 * @throws MusterError of the storage family
 */
export async function openBox(settings: Settings, log: Log): Promise<Box> {
  const { file, fault } = await keptBoxFile(settings.data);
  const lost: string[] = [];
  const database = openDatabase(join(settings.data, "agent.db"), {
    onBroken: (movedTo, reason) =>
      lost.push(`The database was broken (${reason}); it is kept as ${movedTo}.`),
  });
  const outbox = new Outbox(database, { limitBytes: Math.round(settings.outboxLimitMib * MIB), newId });
  const append = (records: NewRecord[]): void => {
    try {
      outbox.append(records);
    } catch (error) {
      const { code, message } = asMusterError(error);
      log.warn({ code, records }, `an event could not be stored: ${message}`);
    }
  };
  const notices = new Notices(append, settings.noticeSeconds * 1000, Date.now);
  for (const message of lost) {
    log.error({ code: "storage.broken" }, message);
    notices.note("storage.broken", message);
  }
  if (fault) {
    const message = `${fault.message} What it said before goes on, and no examples are kept.`;
    log.error({ code: fault.code }, message);
    notices.note(fault.code, message);
  }
  const fileFault = fault?.message ?? null;
  const tpm = new BoxTpm(settings.tpm, ({ code, message }) => {
    log.warn({ code }, message);
    notices.note(code, message);
  });
  return { settings, file, fileFault, boot: bootId(newId), database, outbox, notices, tpm };
}

/**
 * The runtime is asked anew after a boot, and when what the owner says of it has changed.
 * @param onFresh told when the box turned out to be another than it was at its last start
 */
export const openFacts = (
  settings: Settings,
  { runtimes = {} }: BoxFile,
  onFresh: () => void,
): Promise<Facts> =>
  Facts.open(
    {
      file: join(settings.data, "facts.json"),
      boot: `${bootId(newId)} ${sha256(canonicalJson(runtimes))}`,
      agentVersion: AGENT_VERSION,
      detectRuntime: () => detectRuntime(runtimes),
    },
    onFresh,
  );

/**
 * Enrolls the box when it is not, or no longer, enrolled. The pinned trust root is kept where the update engine
 * looks for it.
 * @returns false when there was nothing to do
 * @throws MusterError as `Identity.enroll`
 */
export function enrollBox(
  settings: Settings,
  order: { server: string; token: string },
  identity: Identity,
  facts: Facts,
): Promise<boolean> {
  const { name, labels, httpTimeoutSeconds, data } = settings;
  return identity.enroll(
    { ...order, name, labels, hardware: facts.now(), timeoutMs: httpTimeoutSeconds * 1000, now: Date.now() },
    async (tufRoot) => {
      await privateDirectory(join(data, "tuf"));
      await writeAtomically(join(data, "tuf", "root.json"), tufRoot, 0o600);
    },
  );
}

/** Where hard examples are kept; null without the consent of the box owner. */
export const examplesOf = ({ settings, file }: Box) =>
  exampleSpool(join(settings.data, "examples"), file.capture);
