import { type EvidencePayload, linkDigestOf } from "@muster/shared/protocol/evidence";
import type { DeviceHistory, MissingLinks } from "./history.ts";

/** Links whose digests are remembered. */
const MOST_RECENT = 48;
/** Gaps remembered; beyond them the oldest count as lost for good. */
const MOST_GAPS = 16;

/** 160 bits of a digest: it is kept of many links of every device. */
const shortOf = (digest: string): string => digest.slice("sha256:".length, "sha256:".length + 40);

type Chain = Pick<DeviceHistory, "head" | "base" | "recent" | "missing">;

/** Where a link belongs. */
export type Placed =
  /** The newest so far. */
  | { how: "next"; chain: Chain }
  /** The newest so far, and the device lost the chain before it. */
  | { how: "restarted"; chain: Chain }
  /** One that was missed before. */
  | { how: "late"; chain: Chain }
  /** It came before. */
  | { how: "repeat" }
  /** There is another one in its place. */
  | { how: "fork"; message: string };

/**
 * Finds the place of a link in the chain of its device: each index has one content, and each link names the one before it.
 * @param now when it is placed, milliseconds since the epoch
 */
export function placeLink(chain: Chain, payload: EvidencePayload, now: number): Placed {
  const { index } = payload.chain;
  const previous = payload.chain.previous === null ? null : shortOf(payload.chain.previous);
  const digest = shortOf(linkDigestOf(payload));
  const { head } = chain;
  if (!head) return { how: "next", chain: begun(chain, index, digest, previous, now) };
  if (index <= head.index) return placeEarlier(chain, index, digest, previous, payload.nonce === null);
  const missing =
    index === head.index + 1 ? chain.missing : withGap(chain.missing, head.index + 1, index - 1, now);
  // Beginning anew is no way to have a gap forgotten.
  if (previous === null)
    return {
      how: "restarted",
      chain: { ...begun({ base: -1 }, index, digest, previous, now), missing },
    };
  const next: Chain = {
    head: { index, digest },
    base: chain.base,
    recent: [...chain.recent, [index, digest, previous] as const].slice(-MOST_RECENT),
    missing,
  };
  if (index === head.index + 1 && previous !== head.digest)
    return {
      how: "fork",
      message: `Link ${index} names another link ${head.index} than the one that came`,
    };
  return { how: "next", chain: next };
}

function begun(
  { base }: Pick<Chain, "base">,
  index: number,
  digest: string,
  previous: string | null,
  now: number,
): Chain {
  return {
    head: { index, digest },
    base: base < 0 ? index : base,
    recent: [[index, digest, previous]],
    missing: base >= 0 && index > base ? [{ from: base, to: index - 1, since: now }] : [],
  };
}

function placeEarlier(
  chain: Chain,
  index: number,
  digest: string,
  previous: string | null,
  fromBacklog: boolean,
): Placed {
  const known = chain.recent.find(([at]) => at === index);
  if (known?.[1] === digest) return { how: "repeat" };
  if (known) return { how: "fork", message: `There are two different links ${index}` };
  if (index < chain.base) return { how: "repeat" };
  const gap = chain.missing.find(({ from, to }) => from <= index && index <= to);
  // A backlog that was taken in part comes again as a whole; of its older links only the place is remembered. Another
  // holder of the key does not pass by that: its first answer names another link before it.
  if (!gap && fromBacklog && index < (chain.recent[0]?.[0] ?? 0)) return { how: "repeat" };
  if (!gap) return { how: "fork", message: `A second link ${index} came long after the first` };
  const before = chain.recent.find(([at]) => at === index - 1);
  const after = chain.recent.find(([at]) => at === index + 1);
  if (before && previous !== null && before[1] !== previous)
    return { how: "fork", message: `Link ${index} names another link ${index - 1} than the one that came` };
  if (after && after[2] !== null && after[2] !== digest)
    return { how: "fork", message: `Link ${index} is not the one that link ${index + 1} names` };
  const rest = [
    { ...gap, to: index - 1 },
    { ...gap, from: index + 1 },
  ].filter(({ from, to }) => from <= to);
  const recent = [...chain.recent, [index, digest, previous] as const].sort(([a], [b]) => a - b);
  return {
    how: "late",
    chain: {
      head: chain.head,
      base: chain.base,
      recent: recent.slice(-MOST_RECENT),
      missing: chain.missing.flatMap((each) => (each === gap ? rest : [each])).slice(-MOST_GAPS),
    },
  };
}

const withGap = (missing: readonly MissingLinks[], from: number, to: number, since: number): MissingLinks[] =>
  [...missing, { from, to, since }].slice(-MOST_GAPS);

/** How many links are missing, in words. */
export function gapWords(missing: readonly MissingLinks[]): string {
  const ranges = missing.map(({ from, to }) => (from === to ? `${from}` : `${from} to ${to}`));
  const count = missing.reduce((sum, { from, to }) => sum + (to - from + 1), 0);
  const shown = ranges.slice(0, 4).join(", ");
  return `${count} ${count === 1 ? "link" : "links"} of the chain (${shown}${ranges.length > 4 ? ", …" : ""})`;
}
