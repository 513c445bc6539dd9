import { MusterError } from "@muster/shared/errors";
import { isFirmwarePcr } from "../appraisal/pcrs.ts";
import type { ReferenceSet } from "./reference-set.ts";

/** Times that a path may have `**`: each of them multiplies the work for a path that does not match. */
const MOST_DEEP = 2;

/** What the schema cannot say of a reference set. @throws MusterError `attestation.reference-invalid` */
export function requireSound({ name, firmware = [], ima }: ReferenceSet): void {
  for (const { paths } of ima?.rules ?? [])
    for (const path of paths)
      if (path.split("**").length > MOST_DEEP + 1)
        throw new MusterError(
          "attestation.reference-invalid",
          `${name} has the path ${path}; it takes at most ${MOST_DEEP} times **.`,
        );
  const names = new Set<string>();
  for (const state of firmware) {
    if (names.has(state.name))
      throw new MusterError(
        "attestation.reference-invalid",
        `${name} lists the firmware state ${state.name} twice.`,
      );
    names.add(state.name);
    for (const values of Object.values(state.pcrs))
      for (const [pcr, value] of Object.entries(values))
        if (isFirmwarePcr(Number(pcr)) && /^0+$/.test(value))
          throw new MusterError(
            "attestation.reference-invalid",
            `${name} expects PCR ${pcr} to be all zeros in ${state.name}: such a box measured nothing.`,
          );
  }
}
