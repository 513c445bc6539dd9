import { MusterError } from "@muster/shared/errors";
import {
  directiveKeysOf,
  metadataText,
  parseRoot,
  parseTargets,
  verifyRoot,
  verifyTargets,
} from "@muster/shared/trust/tuf";
import type { Kysely } from "kysely";
import type { ControlTables } from "../storage/tables/index.ts";
import type { TrustMetadataTable, TrustRole } from "../storage/tables/releases.ts";
import { type ControlTransaction, inTransaction } from "../storage/transaction.ts";
import type { OnlineKeys } from "./online-keys.ts";
import { signDue } from "./online-roles.ts";
import { requireOnlineKeys } from "./root-rules.ts";
import type { OnlinePublicKeys, TrustView } from "./views.ts";

/** Old versions kept of each role that is replaced often, for devices in the middle of a refresh. */
const KEPT_VERSIONS = 16;

const ROLES: readonly TrustRole[] = ["root", "targets", "snapshot", "timestamp"];

export interface TrustSettings {
  db: Kysely<ControlTables>;
  keys: OnlineKeys;
  /** Milliseconds since the epoch. */
  clock: () => number;
}

/** The TUF repository of the fleet: root and targets signed offline, snapshot and timestamp signed here. */
export class TrustRepository {
  readonly #settings: TrustSettings;

  constructor(settings: TrustSettings) {
    this.#settings = settings;
  }

  async view(): Promise<TrustView> {
    const { db, keys } = this.#settings;
    const newest = await Promise.all(ROLES.map((role) => newestOf(db, role)));
    const pick = <T>(read: (row: TrustMetadataTable | undefined) => T) =>
      Object.fromEntries(ROLES.map((role, index) => [role, read(newest[index])])) as Record<TrustRole, T>;
    return {
      online: publicKeys(keys),
      root: newest[0]?.body ?? null,
      targets: newest[1]?.body ?? null,
      versions: pick((row) => row?.version ?? 0),
      expires: pick((row) => row?.expires_at ?? null),
    };
  }

  /** Newest root as JSON text, or null before `muster trust init`. */
  async rootText(): Promise<string | null> {
    return (await newestOf(this.#settings.db, "root"))?.body ?? null;
  }

  /**
   * Takes the next root, signed by the one in force and by itself, and with it new targets where given. Adding
   * the root in force once more changes nothing.
   * @throws MusterError `trust.root-invalid`, `trust.metadata-invalid` where the targets do not verify under
   * it, or `trust.metadata-expired`
   */
  async addRoot(given: { root: string; targets?: string | undefined }): Promise<TrustView> {
    const { db, keys, clock } = this.#settings;
    const next = parseRoot(given.root);
    const text = metadataText(next);
    await inTransaction(db, async (tx) => {
      const current = await newestOf(tx, "root");
      if (current?.body !== text) {
        verifyRoot(next, current ? parseRoot(current.body) : undefined);
        directiveKeysOf(next);
        requireOnlineKeys(next, publicKeys(keys));
        const expiresAt = requireUnexpired(next.signed.expires, clock());
        await store(tx, {
          role: "root",
          version: next.signed.version,
          body: text,
          expires_at: expiresAt,
          added_at: clock(),
        });
      }
      const targets = await newestOf(tx, "targets");
      if (given.targets !== undefined && metadataText(parseTargets(given.targets)) !== targets?.body)
        await this.acceptTargets(tx, given.targets);
      else if (targets) verifyTargets(parseTargets(targets.body), next, 0);
    });
    return await this.view();
  }

  /**
   * Takes targets signed by the targets keys, with a higher version than those in force, and signs snapshot and
   * timestamp over them, all within the caller's transaction.
   * @throws MusterError `trust.uninitialized`, `trust.metadata-invalid` or `trust.metadata-expired`
   */
  async acceptTargets(tx: ControlTransaction, text: string): Promise<void> {
    const { clock } = this.#settings;
    const root = await newestOf(tx, "root");
    if (!root) throw new MusterError("trust.uninitialized");
    const current = await newestOf(tx, "targets");
    const next = parseTargets(text);
    verifyTargets(next, parseRoot(root.body), current?.version ?? 0);
    await store(tx, {
      role: "targets",
      version: next.signed.version,
      body: metadataText(next),
      expires_at: requireUnexpired(next.signed.expires, clock()),
      added_at: clock(),
    });
    await this.#sign(tx, true);
  }

  /** Signs snapshot and timestamp anew where half of their validity is over. True when something was signed. */
  async refresh(): Promise<boolean> {
    return await inTransaction(this.#settings.db, async (tx) => await this.#sign(tx, false));
  }

  /** Metadata file by its TUF name, e.g. `2.root.json` or `timestamp.json`; undefined where there is none. */
  async file(name: string): Promise<string | undefined> {
    if (name === "timestamp.json") return (await newestOf(this.#settings.db, "timestamp"))?.body;
    const match = /^([1-9][0-9]{0,14})\.(root|snapshot|targets)\.json$/.exec(name);
    if (!match) return undefined;
    const row = await this.#settings.db
      .selectFrom("trust_metadata")
      .select("body")
      .where("role", "=", match[2] as TrustRole)
      .where("version", "=", Number(match[1]))
      .executeTakeFirst();
    return row?.body;
  }

  async #sign(tx: ControlTransaction, targetsChanged: boolean): Promise<boolean> {
    const { keys, clock } = this.#settings;
    const inForce = async (role: TrustRole) => {
      const row = await newestOf(tx, role);
      return row && { version: row.version, expiresAt: row.expires_at };
    };
    const targets = await inForce("targets");
    if (!targets) return false;
    const roles = { targets, snapshot: await inForce("snapshot"), timestamp: await inForce("timestamp") };
    const signed = signDue(roles, keys, targetsChanged, clock());
    for (const row of signed) await store(tx, row);
    return signed.length > 0;
  }
}

const publicKeys = (keys: OnlineKeys): OnlinePublicKeys => ({
  snapshot: { keyId: keys.snapshot.keyId, publicKey: keys.snapshot.publicKey },
  timestamp: { keyId: keys.timestamp.keyId, publicKey: keys.timestamp.publicKey },
  directive: { keyId: keys.directive.keyId, publicKey: keys.directive.publicKey },
});

const newestOf = async (
  db: Kysely<ControlTables>,
  role: TrustRole,
): Promise<TrustMetadataTable | undefined> =>
  await db
    .selectFrom("trust_metadata")
    .selectAll()
    .where("role", "=", role)
    .orderBy("version", "desc")
    .limit(1)
    .executeTakeFirst();

/** Every root stays for ever, since a device walks them one by one; of the others the last few. */
async function store(tx: ControlTransaction, row: TrustMetadataTable): Promise<void> {
  await tx.insertInto("trust_metadata").values(row).execute();
  if (row.role !== "root")
    await tx
      .deleteFrom("trust_metadata")
      .where("role", "=", row.role)
      .where("version", "<=", row.version - KEPT_VERSIONS)
      .execute();
}

function requireUnexpired(expires: string, now: number): number {
  const at = Date.parse(expires);
  if (!(at > now))
    throw new MusterError("trust.metadata-expired", `What was signed ended at ${expires} already.`);
  return at;
}
