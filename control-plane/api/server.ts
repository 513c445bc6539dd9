import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from "@fastify/type-provider-typebox";
import Fastify, { type FastifyBaseLogger, type FastifyServerOptions, LogController } from "fastify";
import { recordCalls } from "../audit/call-record.ts";
import { requireAccess } from "../people/authorization.ts";
import type { ApiApp } from "./app.ts";
import { describeApi } from "./openapi.ts";
import { servePage } from "./page.ts";
import { answerProblems } from "./problems.ts";
import { alertRoutes } from "./routes/alerts.ts";
import { approvalRoutes } from "./routes/approvals.ts";
import { artifactRoutes } from "./routes/artifacts.ts";
import { attestationRoutes } from "./routes/attestation.ts";
import { auditRoutes } from "./routes/audit.ts";
import { deviceRoutes } from "./routes/devices.ts";
import { driftRoutes } from "./routes/drift.ts";
import { ekRootRoutes } from "./routes/ek-roots.ts";
import { energyRoutes } from "./routes/energy.ts";
import { exampleRoutes } from "./routes/examples.ts";
import { fleetRoutes } from "./routes/fleet.ts";
import { freezeRoutes } from "./routes/freezes.ts";
import { groupRoutes } from "./routes/groups.ts";
import { healthRoutes } from "./routes/health.ts";
import { modelKeyRoutes } from "./routes/model-keys.ts";
import { operatorRoutes } from "./routes/operators.ts";
import { quarantineRoutes } from "./routes/quarantines.ts";
import { releaseRoutes } from "./routes/releases.ts";
import { rolloutRoutes } from "./routes/rollouts.ts";
import { secretRoutes } from "./routes/secrets.ts";
import { shadowRoutes } from "./routes/shadow.ts";
import { signInRoutes } from "./routes/sign-in.ts";
import { siteRoutes } from "./routes/sites.ts";
import { standingRoutes } from "./routes/standing.ts";
import { statusRoutes } from "./routes/status.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { trustRoutes } from "./routes/trust.ts";
import { addSecurityHeaders } from "./security-headers.ts";
import type { OperatorServices } from "./services.ts";
import { defaultOperatorApiSettings, type OperatorApiSettings } from "./settings.ts";
import { answerUnknownAddresses } from "./unknown-address.ts";

/**
 * The operator listener, ready for `listen`: REST under `/api/v1`, its description at `/api/v1/openapi.json`,
 * and the fleet page at `/`. Every route but page and description wants an operator token.
 */
export async function createOperatorApi(
  services: OperatorServices,
  given: Partial<OperatorApiSettings> = {},
  logger?: FastifyBaseLogger,
): Promise<ApiApp> {
  const settings = { ...defaultOperatorApiSettings, ...given };
  const options: FastifyServerOptions = {
    bodyLimit: settings.bodyLimit,
    // An upload of a large model over a slow line is no attack; idle sockets are closed by node's own limits.
    requestTimeout: 0,
    forceCloseConnections: true,
    ...(logger ? { loggerInstance: logger } : {}),
    logController: new LogController({ disableRequestLogging: true }),
  };
  const secure = settings.tls ? { https: settings.tls } : {};
  const app = Fastify({ ...options, ...secure }).withTypeProvider<TypeBoxTypeProvider>() as ApiApp;
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  // A serializer made from the schema checks every union of every item again, and is compiled at the first answer:
  // half a second in which no device is heard.
  app.setSerializerCompiler(() => JSON.stringify);
  answerProblems(app);
  answerUnknownAddresses(app);
  addSecurityHeaders(app);
  await requireAccess(
    app,
    {
      operators: services.operators,
      sessions: services.signIn?.sessions,
      findDevice: (reference, isSeen) => services.fleet.resolve(reference, isSeen),
    },
    settings.failuresPerMinute,
  );
  recordCalls(app, services.audit, {
    refusalsPerMinute: settings.refusalsPerMinute,
    clock: services.info.now,
  });
  await describeApi(app, services.info.version);
  await servePage(app);
  await app.register(
    async (instance) => {
      const api = instance as ApiApp;
      statusRoutes(api, services);
      fleetRoutes(api, services.fleet);
      deviceRoutes(api, services);
      standingRoutes(api, services);
      siteRoutes(api, services);
      groupRoutes(api, services);
      healthRoutes(api, services);
      driftRoutes(api, services);
      exampleRoutes(api, services);
      tokenRoutes(api, services.tokens, services.info.now);
      trustRoutes(api, services.trust);
      ekRootRoutes(api, services.ekRoots);
      artifactRoutes(api, services.artifacts);
      releaseRoutes(api, services.releases);
      modelKeyRoutes(api, services.modelKeys);
      rolloutRoutes(api, services.rollouts, (device) => services.fleet.resolve(device));
      shadowRoutes(api, services);
      freezeRoutes(api, services.freezes);
      quarantineRoutes(api, services.quarantines);
      alertRoutes(api, services.alerts);
      energyRoutes(api, services);
      operatorRoutes(api, services.operators, services.info.now);
      signInRoutes(api, services);
      secretRoutes(api, services);
      approvalRoutes(api, services.approvals);
      attestationRoutes(api, services);
      auditRoutes(api, services.audit);
    },
    { prefix: "/api/v1" },
  );
  return app;
}
