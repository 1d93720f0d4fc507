import type { Resource } from "./serverless.ts";

export const HEALTH_PATH = "/v1/health";

/** The resources of a template that a person knows by name. */
const KNOWN = [
  { title: "tables", type: "AWS::DynamoDB::Table", nameKey: "TableName" },
  { title: "queues", type: "AWS::SQS::Queue", nameKey: "QueueName" },
  { title: "functions", type: "AWS::Lambda::Function", nameKey: "FunctionName" },
  { title: "APIs", type: "AWS::ApiGatewayV2::Api", nameKey: "Name" },
  { title: "alarms", type: "AWS::CloudWatch::Alarm", nameKey: "AlarmName" },
  { title: "dashboards", type: "AWS::CloudWatch::Dashboard", nameKey: "DashboardName" },
];

/** What a deploy is about to make or change. */
export function announcement(resources: readonly Resource[], stage: string, region: string): string {
  const prefix = `antler-${stage}-`;
  const line = (count: number, title: string, names: string) =>
    `  ${String(count).padStart(3)} ${title.padEnd(11)}${names}\n`;
  const known = KNOWN.map(({ title, type, nameKey }) => {
    const names = resources.filter(({ Type }) => Type === type).map(({ Properties }) => String(Properties[nameKey]));
    return line(names.length, title, names.map((name) => name.replace(prefix, "")).join(", "));
  });
  const others = resources.filter(({ Type }) => !KNOWN.some(({ type }) => type === Type)).length;
  return `
This makes, or brings up to date, the stage ${stage} in ${region}. Names have ${prefix} before them.

${known.join("")}${line(others, "others", "roles, log groups, routes, permissions, the bucket of the deploy")}
It takes tokens of ${process.env.JWT_ISSUER} for ${process.env.JWT_AUDIENCE}, signed by a key of ${process.env.JWT_JWKS_URL}
`;
}

/** What to do with a stage that has just been deployed. */
export function nextSteps(address: string, stage: string): string {
  return `
The API's address is ${address}

  curl -s ${address}${HEALTH_PATH}

  # TOKEN is one of your identity provider's, WALLET its subject:
  curl -s ${address}/v1/users/$WALLET/deposits -H "Authorization: Bearer $TOKEN" \\
    -H "Content-Type: application/json" -H "Idempotency-Key: first-deposit" -H "Prefer: wait=5" \\
    -d '{"currency":"USD","amount":"100.00"}'

  npm run verify -- --stage ${stage}
`;
}
