import type { AuditHead, AuditPage, CheckpointList } from "../api/schemas/audit.ts";
import type { AuditEntry, Checkpoint } from "../audit/entry.ts";
import { readExport } from "../audit/export.ts";
import { type AuditFinding, type AuditReport, AuditVerifier } from "../audit/verify.ts";
import { lastSeen, rememberSeen } from "./audit-witness.ts";
import type { OperatorClient } from "./client.ts";
import type { Environment } from "./context.ts";

const PAGE = 1000;

export interface CheckOptions {
  /** Keys that may have signed, hex; those that the control plane or the file names where empty. */
  keys: readonly string[];
  /** Entry to begin with. */
  since: number | undefined;
}

/** A report, and the keys by which it was made. */
export interface CheckedLog extends AuditReport {
  keys: readonly string[];
  /** True where no key was given: the control plane, or the file, itself said which. */
  keyTaken: boolean;
}

/** Entries of a control plane, oldest first, page by page. */
export async function* entriesOf(
  client: OperatorClient,
  from: number,
  last: number,
): AsyncGenerator<AuditEntry> {
  let after: number | null = Math.max(0, from - 1);
  while (after !== null) {
    const page: AuditPage = await client.get<AuditPage>("/audit", { after, before: last + 1, limit: PAGE });
    yield* page.entries;
    after = page.next;
  }
}

/**
 * Checks the log of a running control plane, with what this machine saw of it before, and remembers what it sees now
 * where nothing was found.
 */
export async function checkOnline(
  client: OperatorClient,
  env: Environment,
  { keys, since }: CheckOptions,
): Promise<CheckedLog> {
  const { origin } = client.url;
  const head = await client.get<AuditHead>("/audit/head");
  const { checkpoints } = await client.get<CheckpointList>("/audit/checkpoints");
  const seen = await lastSeen(env, origin);
  const trusted = keys.length > 0 ? keys : [seen?.publicKey ?? head.publicKey];
  const known: Checkpoint[] = [...checkpoints, ...(head.checkpoint ? [head.checkpoint] : [])];
  const witnessed = seen?.checkpoint;
  const before = witnessed && trusted.includes(seen.publicKey) ? [witnessed] : [];
  const verifier = new AuditVerifier(trusted, unique([...known, ...before]), since ?? 0);
  // Checkpoints first, entries after: whatever a checkpoint saw has to be there.
  for await (const entry of entriesOf(client, since ?? 0, head.last ?? 0)) verifier.entry(entry);
  const report = verifier.finish();
  const findings = [...keyFindings(seen?.publicKey, head.publicKey, keys), ...report.findings];
  if (findings.length === 0 && head.checkpoint)
    await rememberSeen(env, origin, { publicKey: head.publicKey, checkpoint: head.checkpoint });
  return { ...report, findings, keys: trusted, keyTaken: keys.length === 0 && seen === undefined };
}

/** Checks an export, without any control plane. */
export async function checkFile(
  file: string,
  { keys, since }: CheckOptions,
  further: readonly Checkpoint[] = [],
): Promise<CheckedLog> {
  let verifier: AuditVerifier | undefined;
  let trusted = keys;
  await readExport(
    file,
    ({ publicKey, checkpoints }) => {
      if (trusted.length === 0) trusted = [publicKey];
      verifier = new AuditVerifier(trusted, unique([...checkpoints, ...further]), since ?? 0);
    },
    (entry) => verifier?.entry(entry),
  );
  const report = (verifier ?? new AuditVerifier(trusted, [])).finish();
  return { ...report, keys: trusted, keyTaken: keys.length === 0 };
}

function keyFindings(seen: string | undefined, now: string, given: readonly string[]): AuditFinding[] {
  if (seen === undefined || seen === now || given.includes(now)) return [];
  const sentence = `The audit key of this control plane is ${now} now; when this machine looked last it was ${seen}. Where that was meant, name both with --key.`;
  return [{ kind: "unsigned", seq: 0, sentence }];
}

const unique = (checkpoints: readonly Checkpoint[]): Checkpoint[] => [
  ...new Map(checkpoints.map((each) => [`${each.seq} ${each.digest} ${each.signature}`, each])).values(),
];
