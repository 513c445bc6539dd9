/** Trust metadata, releases and quarantine in control.db. Times in milliseconds since the epoch. */

export type TrustRole = "root" | "targets" | "snapshot" | "timestamp";

export interface TrustMetadataTable {
  role: TrustRole;
  version: number;
  /** Signed metadata, byte for byte as devices get it. */
  body: string;
  expires_at: number;
  added_at: number;
}

export interface ReleasesTable {
  name: string;
  version: string;
  sequence: number;
  /** `sha256:<hex>` of `manifest`: names the release everywhere. */
  digest: string;
  /** Canonical JSON of the `ReleaseManifest`, byte for byte as signed. */
  manifest: string;
  /** Sum of its artifacts, bytes. */
  size: number;
  created_at: number;
}

export interface ReleaseArtifactsTable {
  /** Digest of the release. */
  release: string;
  /** Digest of the artifact. */
  artifact: string;
  name: string;
  /** Bytes. */
  size: number;
}

/** Releases that failed on a class of hardware: no rollout takes them there again unless forced. */
export interface QuarantinesTable {
  release: string;
  hardware_class: string;
  rollout: string;
  reason: string;
  at: number;
}

export interface ReleaseTables {
  trust_metadata: TrustMetadataTable;
  releases: ReleasesTable;
  release_artifacts: ReleaseArtifactsTable;
  quarantines: QuarantinesTable;
}
