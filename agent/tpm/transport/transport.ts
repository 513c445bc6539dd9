/** Carries commands to a TPM, one at a time. */
export interface Transport {
  /** Where the TPM is, in words. */
  readonly where: string;
  /** True where the kernel keeps the programs apart that use the TPM, and clears up behind each. */
  readonly isManaged: boolean;
  /** Grows with every new connection: what was loaded over an earlier one is gone, or nobody's. */
  readonly connection: number;
  /** Connects where it is not. @throws MusterError `tpm.unavailable`, `tpm.timeout` */
  connect(timeoutMs: number): Promise<void>;
  /**
   * @returns one whole answer, its length checked against its header
   * @throws MusterError `tpm.unavailable`, `tpm.timeout`, `tpm.malformed`
   */
  exchange(command: Buffer, timeoutMs: number): Promise<Buffer>;
  close(): Promise<void>;
}
