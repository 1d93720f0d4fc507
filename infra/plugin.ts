import * as z from "zod";
import { SELF_SERVICE } from "../lib/http/permissions.ts";
import { announcement, type DeployedStage, HEALTH_PATH, nextSteps } from "./deployOutput.ts";
import { seedCurrencies } from "./seed.ts";
import type { Serverless, ServerlessFunction } from "./serverless.ts";
import { signInProblem } from "./signIn.ts";

/** Without these settings, a function refuses every token. */
const REQUIRED = ["JWT_JWKS_URL", "JWT_ISSUER", "JWT_AUDIENCE"];

/**
 * Extends a deploy: every function gets its own role with its `iamRoleStatements`, the currencies table gets its seed, and
 * the output lists the resources and the next steps.
 */
export default class DeployPlugin {
  readonly hooks = {
    initialize: () => {
      this.#requireIdentityProvider();
      this.#checkParameters();
      if (this.#events() === "false") removeEvents(this.#serverless.service);
      this.#addRoles();
    },
    "before:aws:deploy:deploy:createStack": () => this.#printAnnouncement(),
    "after:deploy:deploy": () => this.#seed(),
    finalize: () => this.#printNextSteps(),
  };

  readonly #serverless: Serverless;

  constructor(serverless: Serverless) {
    this.#serverless = serverless;
    serverless.configSchemaHandler.defineFunctionProperties("aws", {
      properties: { iamRoleStatements: { type: "array", items: { type: "object" } } },
    });
  }

  #requireIdentityProvider(): void {
    const [command, what] = this.#serverless.processedInput.commands;
    const missing = REQUIRED.filter((name) => !process.env[name]);
    if (command !== "deploy" || what === "list" || missing.length === 0) return;
    console.error(
      `Not deployed: set ${missing.join(" and ")} to the values of your identity provider (docs/operations.md)`,
    );
    process.exit(1);
  }

  /** Reports every invalid parameter and setting at once. */
  #checkParameters(): void {
    const { console: consoleFunction } = this.#serverless.service.functions;
    const { stage, selfService } = this.#deployedStage();
    const allowed: readonly string[] = SELF_SERVICE;
    const unknown = selfService.filter((name) => !allowed.includes(name));
    const problems = [
      // A name with a typing error would close a movement to users without a word.
      unknown.length > 0 &&
        `The stage parameter selfService has ${unknown.join(", ")}: it must be none, or some of ${allowed.join(", ")}`,
      !["true", "false"].includes(this.#events()) &&
        `The stage parameter events is ${this.#events()}: it must be true or false`,
      signInProblem(consoleFunction?.environment, stage === "local"),
    ].filter((problem) => typeof problem === "string");
    if (problems.length === 0) return;
    console.error(problems.join("\n"));
    process.exit(1);
  }

  /** The stage parameter `events`. */
  #events(): string {
    return String(this.#serverless.service.custom.events.isOn);
  }

  #deployedStage(): DeployedStage {
    const { functions } = this.#serverless.service;
    const selfService = String(functions.commands?.environment?.SELF_SERVICE);
    const aws = this.#serverless.getProvider("aws");
    return {
      stage: aws.getStage(),
      region: aws.getRegion(),
      selfService: selfService === "none" ? [] : selfService.split(","),
    };
  }

  #printAnnouncement(): void {
    const { compiledCloudFormationTemplate } = this.#serverless.service.provider;
    const resources = Object.values(compiledCloudFormationTemplate?.Resources ?? {});
    console.log(announcement(resources, this.#deployedStage()));
  }

  #printNextSteps(): void {
    if (this.#serverless.processedInput.commands.join(" ") !== "deploy") return;
    const endpoints = [this.#serverless.serviceOutputs.get("endpoints")].flat().map(String);
    const health = endpoints.find((endpoint) => endpoint.endsWith(HEALTH_PATH));
    const address = health?.replace(/^.* - /, "").slice(0, -HEALTH_PATH.length);
    if (address) console.log(nextSteps(address, this.#deployedStage()));
  }

  #addRoles(): void {
    const { functions, resources, provider } = this.#serverless.service;
    for (const [key, definition] of Object.entries(functions)) {
      const name = key.charAt(0).toUpperCase() + key.slice(1);
      resources.Resources[`${name}Role`] = role(name, definition, provider.tracing?.lambda === true);
      definition.role = `${name}Role`;
    }
  }

  async #seed(): Promise<void> {
    const { Properties } = this.#serverless.service.resources.Resources.CurrenciesTable ?? {};
    const seeded = await seedCurrencies(String(Properties?.TableName));
    console.log(seeded.length > 0 ? `Seeded the currencies ${seeded.join(", ")}` : "All currencies exist already");
  }
}

/** Removes everything that publishes decisions, and the webhooks. */
function removeEvents({ functions, resources, custom }: Serverless["service"]): void {
  for (const name of ["publish", "webhooks", "deliver"]) delete functions[name];
  delete resources.Resources.WalletsTable?.Properties.StreamSpecification;
  for (const logicalId of custom.events.resources.flatMap(Object.keys)) delete resources.Resources[logicalId];
  const { Properties } = resources.Resources.Dashboard ?? {};
  const { "Fn::Sub": body } = dashboardBody.parse(Properties?.DashboardBody);
  const { widgets } = dashboard.parse(JSON.parse(body));
  const row = widgets.findIndex(({ properties }) => properties.markdown === "## Events");
  Object.assign(Properties ?? {}, { DashboardBody: { "Fn::Sub": JSON.stringify({ widgets: widgets.slice(0, row) }) } });
}

const dashboardBody = z.object({ "Fn::Sub": z.string() });
/** Its last rows are those of the events and the webhooks. */
const dashboard = z.object({ widgets: z.array(z.looseObject({ properties: z.looseObject({}) })) });

function role(name: string, { iamRoleStatements = [] }: ServerlessFunction, isTraced: boolean) {
  const writeLogs = {
    Effect: "Allow",
    Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
    Resource: { "Fn::GetAtt": [`${name}LogGroup`, "Arn"] },
  };
  // X-Ray has no resource ARNs. These two actions can add traces and read nothing.
  const writeTraces = {
    Effect: "Allow",
    Action: ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
    Resource: "*",
  };
  return {
    Type: "AWS::IAM::Role",
    Properties: {
      AssumeRolePolicyDocument: {
        Version: "2012-10-17",
        Statement: [{ Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" }],
      },
      Policies: [
        {
          PolicyName: "function",
          PolicyDocument: {
            Version: "2012-10-17",
            Statement: [writeLogs, ...(isTraced ? [writeTraces] : []), ...iamRoleStatements],
          },
        },
      ],
    },
  };
}
