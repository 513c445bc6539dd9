/** Where the kernel lists the files it measured (IMA). */
export const IMA_PCR = 10;

/** PCRs that the firmware extends (TCG PC Client Platform Firmware Profile, 2.3.4). */
export const isFirmwarePcr = (pcr: number): boolean => pcr <= 7;

/** What a PCR is about, in words. */
const ABOUT: Readonly<Record<number, string>> = {
  0: "firmware code",
  1: "firmware settings",
  2: "drivers and option ROMs",
  3: "settings of drivers",
  4: "boot loader",
  5: "partition table and boot settings",
  6: "vendor's own events",
  7: "Secure Boot settings and keys",
};

/** Words for a list of PCRs, e.g. `PCR 0 (firmware code) and PCR 7 (Secure Boot settings and keys)`. */
export function pcrWords(pcrs: readonly number[]): string {
  const words = pcrs.map((pcr) => (ABOUT[pcr] ? `PCR ${pcr} (${ABOUT[pcr]})` : `PCR ${pcr}`));
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} and ${last}`;
}
