/** The commands of operators, in `scripts/`, with what they do. They use the AWS of a stage directly. */
export const OPERATOR_COMMANDS: ReadonlyMap<string, string> = new Map([
  ["status", "print the health of a stage on one screen"],
  ["listen", "print events as they are published"],
  ["verify", "recompute every wallet and hash from its history"],
  ["checkpoint", "write where every history ends, for a later verify"],
  ["dlq", "list, show or resend dead-letter messages"],
  ["requeue", "resend commands that are pending for too long"],
  ["sweep", "send credits in transit and expiries again"],
  ["republish", "publish decisions again"],
  ["webhooks", "list or resend failed deliveries to webhook endpoints"],
]);
