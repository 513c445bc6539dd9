/** Sessions of a device remembered; a device repeats heartbeats of its newest ones at most. */
const MOST_SESSIONS = 4;

/** Newest heartbeat that was counted, by session; the newest session last. */
export type SessionMarks = readonly (readonly [session: string, seq: number])[];

/**
 * Whether this heartbeat is told for the first time. Those of one session come in order, so that the newest number
 * says it all; late ones of the sessions before are taken too, since their sums are in no other heartbeat.
 */
export function isFresh(marks: SessionMarks, session: string, seq: number): boolean {
  const known = marks.find(([id]) => id === session);
  return known === undefined || seq > known[1];
}

/** The marks once this heartbeat is counted. */
export function withMark(marks: SessionMarks, session: string, seq: number): SessionMarks {
  if (marks.some(([id]) => id === session))
    return marks.map(([id, newest]) => [id, id === session ? Math.max(seq, newest) : newest] as const);
  return [...marks, [session, seq] as const].slice(-MOST_SESSIONS);
}
