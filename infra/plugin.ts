import { seedCurrencies } from "./seed.ts";
import type { Serverless, ServerlessFunction } from "./serverless.ts";

/**
 * What a deploy does beyond the template: a role of its own for every function, out of its `iamRoleStatements` and
 * nothing more, and the seed of the currencies table once the stack stands.
 */
export default class DeployPlugin {
  readonly hooks = {
    initialize: () => this.#giveEachFunctionItsRole(),
    "after:deploy:deploy": () => this.#seed(),
  };

  readonly #serverless: Serverless;

  constructor(serverless: Serverless) {
    this.#serverless = serverless;
    serverless.configSchemaHandler.defineFunctionProperties("aws", {
      properties: { iamRoleStatements: { type: "array", items: { type: "object" } } },
    });
  }

  #giveEachFunctionItsRole(): void {
    const { functions, resources } = this.#serverless.service;
    for (const [key, definition] of Object.entries(functions)) {
      const name = key.charAt(0).toUpperCase() + key.slice(1);
      resources.Resources[`${name}Role`] = role(name, definition);
      definition.role = `${name}Role`;
    }
  }

  async #seed(): Promise<void> {
    const { Properties } = this.#serverless.service.resources.Resources.CurrenciesTable ?? {};
    const seeded = await seedCurrencies(String(Properties?.TableName));
    console.log(seeded.length > 0 ? `Seeded the currencies ${seeded.join(", ")}` : "The currencies were seeded before");
  }
}

function role(name: string, { iamRoleStatements = [] }: ServerlessFunction) {
  const writeLogs = {
    Effect: "Allow",
    Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
    Resource: { "Fn::GetAtt": [`${name}LogGroup`, "Arn"] },
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
          PolicyDocument: { Version: "2012-10-17", Statement: [writeLogs, ...iamRoleStatements] },
        },
      ],
    },
  };
}
