import { BenchBox, GOLDEN } from "./bench-box.ts";
import { classifier } from "./models.ts";

// A stand-in for the agent that serves until it is killed: prints where it works and which runner it has.
const box = await BenchBox.create();
await box.serve([await box.model("classifier", classifier(), GOLDEN.classifier)]);
console.log(JSON.stringify({ directory: box.directory, pids: [box.inference.status().pid] }));
