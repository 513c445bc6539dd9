import { MusterError } from "@muster/shared/errors";
import type { Measurement } from "@muster/shared/protocol/evidence";
import type { Directory } from "../fleet/directory.ts";
import type { AttestationPolicies } from "./policy/policies.ts";
import type { PolicyContent } from "./policy/policy.ts";
import { candidateOf } from "./references/learn.ts";
import type { ReferenceBook } from "./references/reference-book.ts";
import type { ReferenceSet } from "./references/reference-set.ts";
import type { AttestationStore, HistoryEntry, StoredStanding } from "./store.ts";
import type { Assurance, Finding, VerdictTier } from "./verdict.ts";

/** One device as the list of attestation shows it. Times in milliseconds since the epoch. */
export interface AttestationLine {
  device: string;
  name: string;
  site: string;
  assurance: Assurance;
  /** Of now: an outdated one is `none`. */
  verdict: VerdictTier;
  withheld: boolean;
  sentence: string;
  at: number | null;
  freshAt: number | null;
  /** Challenges since its last answer. */
  unanswered: number;
}

export interface AttestationDetail extends AttestationLine {
  claims: StoredStanding["claims"] | null;
  findings: Finding[];
  notAfter: number | null;
  policy: PolicyContent;
  /** Names of the reference sets that are for it. */
  references: string[];
  chain: { head: number | null; missing: { from: number; to: number }[]; forked: boolean };
  /** What it measured when it was heard last; null before that. */
  measurement: Measurement | null;
}

export interface ReportParts {
  store: AttestationStore;
  directory: Directory;
  policies: AttestationPolicies;
  references: ReferenceBook;
  unanswered(device: string): number;
  now(): number;
}

const nothingYet = "It has given no evidence yet.";

/** What operators ask about attestation. */
export class AttestationReports {
  readonly #parts: ReportParts;

  constructor(parts: ReportParts) {
    this.#parts = parts;
  }

  /**
   * Every device that is not revoked, those that do not pass first.
   * @param isSeen sites of which the caller may know
   */
  list(
    filter: { verdict?: VerdictTier | undefined; site?: string | undefined },
    isSeen: (site: string) => boolean = () => true,
  ): {
    devices: AttestationLine[];
    counts: Record<VerdictTier, number>;
    withheld: number;
  } {
    const { directory, store } = this.#parts;
    directory.refresh();
    const standings = new Map(store.standings().map((standing) => [standing.device, standing]));
    const counts: Record<VerdictTier, number> = { affirming: 0, warning: 0, contraindicated: 0, none: 0 };
    const devices: AttestationLine[] = [];
    let withheld = 0;
    for (const { id, active, site } of directory.inOrder()) {
      const isBelow = filter.site === undefined || site === filter.site || site.startsWith(`${filter.site}/`);
      if (!active || !isBelow || !isSeen(site)) continue;
      const line = this.#line(id, standings.get(id));
      counts[line.verdict] += 1;
      if (line.withheld) withheld += 1;
      if (filter.verdict === undefined || filter.verdict === line.verdict) devices.push(line);
    }
    const rank: VerdictTier[] = ["contraindicated", "warning", "none", "affirming"];
    devices.sort((a, b) => rank.indexOf(a.verdict) - rank.indexOf(b.verdict));
    return { devices, counts, withheld };
  }

  /** @throws MusterError `request.not-found` */
  show(device: string): AttestationDetail {
    const { directory, store, policies, references } = this.#parts;
    directory.refresh();
    const known = store.device(device);
    if (!known) throw new MusterError("request.not-found", `There is no device ${device}.`);
    const standing = store.standing(device);
    const labels = directory.get(device)?.effectiveLabels ?? {};
    const { head, missing, forked } = known.history;
    return {
      ...this.#line(device, standing),
      claims: standing?.claims ?? null,
      findings: [...(standing?.findings ?? [])],
      notAfter: standing?.notAfter ?? null,
      policy: policies.of(known.site, known.hardwareClass),
      references: references.matching(known.hardwareClass, labels).map(({ name }) => name),
      chain: {
        head: head?.index ?? null,
        missing: missing.map(({ from, to }) => ({ from, to })),
        forked: forked !== null,
      },
      measurement: known.evidence?.payload.measurement ?? null,
    };
  }

  /** Newest first. */
  history(device: string, limit: number, before: number): (HistoryEntry & { findings: Finding[] })[] {
    return this.#parts.store
      .entries(device, limit, before)
      .map((entry) => ({ ...entry, findings: [...entry.findings] }));
  }

  /**
   * A reference set made of the newest evidence of a device, for review.
   * @throws MusterError `attestation.no-evidence`, `request.not-found`
   */
  learn(device: string, name: string): ReferenceSet {
    const { store, policies, references, now } = this.#parts;
    const known = store.device(device);
    if (!known) throw new MusterError("request.not-found", `There is no device ${device}.`);
    const former = references.list().find((each) => each.name === name);
    return candidateOf(known, {
      name,
      sequence: (former?.sequence ?? 0) + 1,
      policy: policies.of(known.site, known.hardwareClass),
      log: (digest) => store.bootLog(digest),
      now: now(),
    });
  }

  #line(id: string, standing: StoredStanding | undefined): AttestationLine {
    const { directory, unanswered } = this.#parts;
    const device = directory.get(id)!;
    const { assurance, verdict, withheld } = device.trust;
    return {
      device: id,
      name: device.name,
      site: device.site,
      assurance,
      verdict,
      withheld,
      sentence: device.withheldBecause ?? standing?.sentence ?? nothingYet,
      at: standing?.at ?? null,
      freshAt: standing?.freshAt ?? null,
      unanswered: unanswered(id),
    };
  }
}
