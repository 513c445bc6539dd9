import type { Target } from "../target.ts";
import { appraisalTargets } from "./appraisal.ts";
import { certificateTargets } from "./certificates.ts";
import { documentTargets } from "./documents.ts";
import { fileTargets } from "./files.ts";
import { inferenceTargets } from "./inference.ts";
import { messageTargets } from "./messages.ts";
import { metadataTargets } from "./metadata.ts";
import { textTargets } from "./texts.ts";
import { tpmTargets } from "./tpm.ts";

/** Every parser that reads what somebody else wrote. */
export const allTargets = async (): Promise<Target[]> => [
  ...tpmTargets(),
  ...(await appraisalTargets()),
  ...messageTargets(),
  ...documentTargets(),
  ...fileTargets(),
  ...textTargets(),
  ...inferenceTargets(),
  ...(await certificateTargets()),
  ...metadataTargets(),
];
