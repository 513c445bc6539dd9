import { isQuick, printFigures } from "../figures.ts";
import { deviceFigures } from "./device.ts";
import { verifierFigures } from "./verifier.ts";

/**
 * What identity and attestation cost: the control plane's appraisals on one core against the bare signature checks, and
 * a box's quote and enrollment from Node against tpm2-tools.
 */
printFigures("attest", [...(await verifierFigures(isQuick)), ...(await deviceFigures(isQuick))]);
