import { writeFileSync } from "node:fs";
import { generatedFiles } from "./generated.ts";

/** Writes the generated documents: `npm run docs`. */
for (const { path, text } of generatedFiles()) writeFileSync(path, text);
