import { ADMIN_SCOPE } from "../lib/http/authenticate.ts";
import type { Resource } from "./serverless.ts";

export const HEALTH_PATH = "/v1/health";

/** What a deploy's output says about its stage. */
export interface DeployedStage {
  readonly stage: string;
  readonly region: string;
  /** The movements that users may make themselves. */
  readonly selfService: readonly string[];
}

/** Movements that follow from a hold or a credit, on every stage. */
const ALWAYS_ALLOWED = ["captures", "releases", "refunds"];

/** The resources that the announcement lists by name. */
const NAMED = [
  { title: "tables", type: "AWS::DynamoDB::Table", nameKey: "TableName" },
  { title: "topics", type: "AWS::SNS::Topic", nameKey: "TopicName" },
  { title: "queues", type: "AWS::SQS::Queue", nameKey: "QueueName" },
  { title: "functions", type: "AWS::Lambda::Function", nameKey: "FunctionName" },
  { title: "APIs", type: "AWS::ApiGatewayV2::Api", nameKey: "Name" },
  { title: "alarms", type: "AWS::CloudWatch::Alarm", nameKey: "AlarmName" },
  { title: "dashboards", type: "AWS::CloudWatch::Dashboard", nameKey: "DashboardName" },
];

/** The resources that a deploy is about to create or update, and who can use them. */
export function announcement(resources: readonly Resource[], { stage, region, selfService }: DeployedStage): string {
  const prefix = `antler-${stage}-`;
  const line = (count: number, title: string, names: string) =>
    `  ${String(count).padStart(3)} ${title.padEnd(11)}${names}\n`;
  const named = NAMED.map(({ title, type, nameKey }) => {
    const names = resources.filter(({ Type }) => Type === type).map(({ Properties }) => String(Properties[nameKey]));
    return line(names.length, title, names.map((name) => name.replace(prefix, "")).join(", "));
  });
  const others = resources.filter(({ Type }) => !NAMED.some(({ type }) => type === Type)).length;
  return `
Creating or updating the stage ${stage} in ${region}. All names start with ${prefix}

${named.join("")}${line(others, "others", "roles, log groups, routes, permissions, the deployment bucket")}
Accepted tokens: issuer ${process.env.JWT_ISSUER}, audience ${process.env.JWT_AUDIENCE}, keys ${process.env.JWT_JWKS_URL}
A user's own token may ask for: ${[...selfService, ...ALWAYS_ALLOWED].join(", ")} (stage parameter selfService)
`;
}

/** How to try the deployed stage. */
export function nextSteps(address: string, { stage, selfService }: DeployedStage): string {
  const token = selfService.includes("deposits")
    ? "# TOKEN is a token from your identity provider, WALLET its subject:"
    : `# TOKEN is a token from your identity provider with the scope ${ADMIN_SCOPE}, WALLET a user's id:`;
  return `
The console's address is ${address}/
The API's address is ${address}

  curl -s ${address}${HEALTH_PATH}

  ${token}
  curl -s ${address}/v1/users/$WALLET/deposits -H "Authorization: Bearer $TOKEN" \\
    -H "Content-Type: application/json" -H "Idempotency-Key: first-deposit" -H "Prefer: wait=5" \\
    -d '{"currency":"USD","amount":"100.00"}'

  npm run verify -- --stage ${stage}
`;
}
