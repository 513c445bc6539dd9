/** People and scripts that may use the operator API. Times in milliseconds since the epoch. */
export interface PeopleTables {
  operators: {
    id: string;
    name: string;
    /** What they may do where, JSON. Of a person of an identity provider: as of the last sign-in. */
    grants: string;
    /** Who vouches for the person, and as whom; null for those made here. */
    issuer: string | null;
    subject: string | null;
    created_at: number;
    revoked_at: number | null;
  };
  operator_tokens: {
    id: string;
    operator: string;
    name: string;
    /** SHA-256 of the secret, hex; the secret itself is nowhere. */
    secret_hash: string;
    /** Narrows what the operator may do, JSON; null where it does not. */
    grants: string | null;
    created_at: number;
    expires_at: number | null;
    last_used_at: number | null;
    revoked_at: number | null;
  };
  sessions: {
    id: string;
    operator: string;
    secret_hash: string;
    /** `page`: comes as a cookie, writes want the CSRF token too. `cli`: comes as a bearer token. */
    kind: "page" | "cli";
    csrf: string;
    created_at: number;
    /** Ends then at the latest. */
    expires_at: number;
    last_used_at: number;
    ended_at: number | null;
  };
  approval_policies: {
    /** Path of a site, `*` for the fleet. */
    site: string;
    approvals: number;
    changed_by: string;
    changed_at: number;
  };
  secrets: {
    id: string;
    name: string;
    /** `device:ID`, `site:PATH` or `selector:TEXT`. */
    scope: string;
    /** Which master key sealed it. */
    key_id: string;
    /** AES-256-GCM: nonce, ciphertext and tag, base64. */
    sealed: string;
    /** Grows with each new value. */
    version: number;
    changed_by: string;
    changed_at: number;
  };
}
