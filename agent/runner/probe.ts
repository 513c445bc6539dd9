import { InferenceSession, listSupportedBackends } from "onnxruntime-node";
import { sessionOptions } from "./session-options.ts";

/** An ONNX file of one Identity node over one float: the least that a provider must be able to take. */
const IDENTITY_MODEL = Buffer.from(
  "CAgSBm11c3RlcjpKChwKAXgSAXkaCklkZW50aXR5XzAiCElkZW50aXR5EghpZGVudGl0eVoPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEBE=",
  "base64",
);

/** Without an argument prints the providers that the runtime was built with, with one proves that it works. */
const [provider] = process.argv.slice(2);
if (provider === undefined) {
  for (const { name } of listSupportedBackends()) console.log(`provider ${name}`);
} else {
  await InferenceSession.create(IDENTITY_MODEL, sessionOptions(provider));
  console.log(`provider ${provider}`);
}
