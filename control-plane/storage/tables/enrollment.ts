/** Authorities of TPM vendors whose endorsement key certificates are believed. */
export interface EkRootsTable {
  /** SHA-256 of the certificate in DER, hex. */
  id: string;
  /** Its subject in one line. */
  name: string;
  /** PEM. */
  certificate: string;
  /** Milliseconds since the epoch, as all times here. */
  added_at: number;
}

/** What devices were told to do once. */
export interface DeviceCommandsTable {
  id: string;
  device: string;
  kind: string;
  /** The signed command, JSON, as it was published. */
  document: string;
  issued_at: number;
  not_after: number;
  /** Null while the device has not told how it went. */
  ended_at: number | null;
  /** What the device told, one sentence. */
  outcome: string | null;
}

export interface EnrollmentTables {
  ek_roots: EkRootsTable;
  device_commands: DeviceCommandsTable;
}
