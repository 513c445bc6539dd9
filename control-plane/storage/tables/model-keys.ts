/** Keys of sealed models in control.db. Times in milliseconds since the epoch. */

export interface ModelKeysTable {
  id: string;
  /** What it was made for, as the one who put it says. */
  name: string;
  /** Wrapped with the master key, base64; null once it was withdrawn. */
  wrapped: string | null;
  /** SHA-256 of the key, so that putting it again is told from putting another one. */
  digest: string;
  created_by: string;
  created_at: number;
  withdrawn_by: string | null;
  withdrawn_at: number | null;
}

/** Keys that a release needs. */
export interface ReleaseKeysTable {
  /** Digest of the release. */
  release: string;
  key: string;
}

/** The newest lease of each device and key. */
export interface ModelKeyLeasesTable {
  device: string;
  key: string;
  issued_at: number;
  not_after: number;
}

export interface ModelKeyTables {
  model_keys: ModelKeysTable;
  release_keys: ReleaseKeysTable;
  model_key_leases: ModelKeyLeasesTable;
}
