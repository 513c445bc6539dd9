import { isMusterError } from "@muster/shared/errors";
import { MOST_LOG_BYTES, type TpmEvidence } from "@muster/shared/protocol/evidence";
import type { HashName } from "@muster/shared/tpm/hash";
import { type ImaEntry, ImaReplay, parseImaLines } from "@muster/shared/tpm/ima-log";
import type { ReferenceSet } from "../references/reference-set.ts";
import type { Finding } from "../verdict.ts";
import { finding, type Weight } from "./findings.ts";
import { matchesPath } from "./glob.ts";
import type { ImaHistory } from "./history.ts";
import { IMA_PCR } from "./pcrs.ts";
import { unpack } from "./unpack.ts";

/** Files that are named. */
const MOST_EXAMPLES = 5;
/** Entries that every list begins with and that name no file. */
const AGGREGATE = "boot_aggregate";

type Slice = NonNullable<TpmEvidence["ima"]>;

/** Base64 of a piece that is not the last one has at least so many characters: agents send as much as fits. */
const LEAST_PIECE_CHARS = MOST_LOG_BYTES / 4;

export interface ImaFacts {
  /** What came of the list; null where the box sends none. */
  readonly ima: TpmEvidence["ima"];
  readonly bank: HashName;
  /** Quoted value of PCR 10, hex; undefined where it was not quoted. */
  readonly quoted: string | undefined;
  readonly references: readonly ReferenceSet[];
  /** Of this boot of the box; null at its beginning. */
  readonly before: ImaHistory | null;
}

export interface ImaJudged {
  readonly findings: readonly Finding[];
  readonly history: ImaHistory | null;
  /** Everything up to the quote was compared. */
  readonly complete: boolean;
}

/** Compares the files that the kernel measured with the rules, slice by slice over one boot of the box. */
export function judgeIma(facts: ImaFacts): ImaJudged {
  const sets = facts.references.flatMap(({ ima }) => ima ?? []);
  if (sets.length === 0) return { findings: [], history: facts.before, complete: false };
  const { ima, before } = facts;
  const weight = weightOf(facts.references);
  // Who is silent must not fare better than who tells of a file that no rule allows.
  if (ima === null || (ima.gzip === null && ima.from === 0))
    return { findings: told(before, weight, [keptBack(weight)]), history: before, complete: false };
  if (facts.quoted === undefined)
    return {
      findings: [
        finding(
          "file-system",
          "warning",
          "attestation.ima-incomplete",
          "unknown",
          "Reference sets have rules for files, and this quote does not cover PCR 10: the list of files is not proven. The next answer will.",
        ),
      ],
      history: before,
      complete: false,
    };
  const rules = sets.flatMap(({ rules: each }) => each);
  try {
    return judgeSlice({ ...facts, ima }, facts.quoted, (entry) => allows(rules, entry), weight);
  } catch (error) {
    if (!isMusterError(error, "attestation.log-malformed")) throw error;
    return mismatch(`Its list of files cannot be read: ${error.message}`);
  }
}

/** What was found in the list so far, for evidence that brings nothing new of it. */
export function imaAgain(before: ImaHistory | null, references: readonly ReferenceSet[]): ImaJudged {
  return { findings: told(before, weightOf(references), []), history: before, complete: before !== null };
}

const weightOf = (references: readonly ReferenceSet[]): Weight =>
  references.some(({ ima }) => ima?.otherwise === "contraindicated") ? "contraindicated" : "warning";

const mismatch = (message: string): ImaJudged => ({
  findings: [finding("file-system", "contraindicated", "attestation.ima-mismatch", "attack", message)],
  history: null,
  complete: false,
});

function judgeSlice(
  { ima, bank, before }: ImaFacts & { ima: Slice },
  quoted: string,
  allowed: (entry: ImaEntry) => boolean,
  weight: Weight,
): ImaJudged {
  const known = before?.state.values[bank] === undefined ? null : before;
  const resumes = known !== null && known.state.count === ima.from;
  if (!resumes && ima.from !== 0)
    return { findings: told(before, weight, [inPieces("warning")]), history: known, complete: false };
  const replay = resumes ? ImaReplay.resume(known.state) : ImaReplay.start([bank]);
  let { violations, unlisted, examples } = resumes
    ? known
    : { violations: 0, unlisted: 0, examples: [] as readonly string[] };
  const reached = (): boolean => replay.value(bank) === quoted;
  const entries =
    ima.gzip === null ? [] : parseImaLines(unpack(Buffer.from(ima.gzip, "base64")).toString("utf8"));
  let proven = reached() ? snapshot() : undefined;
  for (const entry of entries) {
    replay.extend(entry);
    if (entry.violation) violations += 1;
    else if (!allowed(entry)) {
      unlisted += 1;
      if (examples.length < MOST_EXAMPLES) examples = [...examples, entry.path.slice(0, 200)];
    }
    // The list is read after the quote: lines behind the last match are proven by the next one.
    if (reached()) proven = snapshot();
  }
  function snapshot(): ImaHistory {
    return { state: replay.state(), violations, unlisted, examples };
  }
  if (proven) return { findings: told(proven, weight, []), history: proven, complete: true };
  if (replay.count < ima.total) {
    // A list that begins anew within one boot does not make forgotten what was found in it.
    const history = known !== null && !resumes ? known : snapshot();
    const piece = (ima.gzip?.length ?? 0) >= LEAST_PIECE_CHARS ? inPieces("warning") : keptBack(weight);
    return { findings: told(history, weight, [piece]), history, complete: false };
  }
  return mismatch(
    "Its list of files does not give the quoted value of PCR 10: lines were changed or left out.",
  );
}

const inPieces = (weight: Weight): Finding =>
  finding(
    "file-system",
    weight,
    "attestation.ima-incomplete",
    "unknown",
    "The list of files comes in pieces, and not all of it is here yet.",
  );

const keptBack = (weight: Weight): Finding =>
  finding(
    "file-system",
    weight,
    "attestation.ima-incomplete",
    "unknown",
    "Reference sets have rules for its files, and it does not send the list of them, or not all that it could: its kernel keeps none, or the list is kept back.",
  );

function told(history: ImaHistory | null, weight: Weight, more: readonly Finding[]): Finding[] {
  if (!history) return [...more];
  const { violations, unlisted, examples } = history;
  return [
    ...(unlisted > 0
      ? [
          finding(
            "file-system",
            weight,
            "attestation.ima-unlisted",
            "drift",
            `Since its start it used ${unlisted} ${unlisted === 1 ? "file" : "files"} that no rule allows (${examples.join(", ")}${unlisted > examples.length ? ", …" : ""}): its system was updated, or somebody installed something.`,
          ),
        ]
      : []),
    ...(violations > 0
      ? [
          finding(
            "file-system",
            "warning",
            "attestation.ima-violation",
            "drift",
            `${violations} ${violations === 1 ? "file was" : "files were"} changed while in use, so that the kernel could not measure ${violations === 1 ? "it" : "them"}.`,
          ),
        ]
      : []),
    ...more,
  ];
}

type Rule = NonNullable<ReferenceSet["ima"]>["rules"][number];

function allows(rules: readonly Rule[], entry: ImaEntry): boolean {
  if (entry.path === AGGREGATE || entry.pcr !== IMA_PCR) return true;
  return rules.some(
    ({ paths, digests, signedBy }) =>
      paths.some((pattern) => matchesPath(pattern, entry.path)) &&
      ((digests === undefined && signedBy === undefined) ||
        digests?.includes(`${entry.file.hash}:${entry.file.digest}`) === true ||
        signedBy?.includes(signerOf(entry.extra)) === true),
  );
}

/** Key id in a signature of the second format (`struct signature_v2_hdr` of Linux): bytes 3 to 6. */
const signerOf = (signature: string): string => (signature.startsWith("0302") ? signature.slice(6, 14) : "");
