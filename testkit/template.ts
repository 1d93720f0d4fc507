import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, type ScalarTag } from "yaml";
import type { Resource } from "../infra/serverless.ts";

const tags: ScalarTag[] = ["Ref", "GetAtt", "Sub"].map((name) => ({
  tag: `!${name}`,
  resolve: (value: string) => (name === "Ref" ? { Ref: value } : { [`Fn::${name}`]: value }),
}));

/** The tables, queues and topics of `infra/`, as a deploy of this stage would name them. */
export function template(stage: string): Record<string, Resource> {
  return Object.assign(
    {},
    ...["tables.yml", "queues.yml", "events.yml", "webhooks.yml"].map((file) => {
      const text = readFileSync(join(import.meta.dirname, "../infra", file), "utf8")
        .replaceAll(`\${self:service}-\${self:provider.stage}`, `antler-${stage}`)
        .replaceAll(/\$\{param:\w+\}/g, "Delete");
      return parse(text, { customTags: tags, logLevel: "error" }).Resources;
    }),
  );
}
