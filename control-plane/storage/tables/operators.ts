/** People and scripts that may use the operator API. Times in milliseconds since the epoch. */
export interface OperatorTables {
  operators: {
    id: string;
    name: string;
    /** SHA-256 of the token's secret, hex; the secret itself is nowhere. */
    token_hash: string;
    created_at: number;
    last_used_at: number | null;
    revoked_at: number | null;
  };
}
