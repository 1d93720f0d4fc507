import { parseArgs } from "node:util";
import { issueToken } from "./identityProvider.ts";
import { readSettings } from "./settings.ts";

const USAGE = 'Usage: npm run -s token -- USER [--scope "SCOPE ..."]';

const { positionals, values } = parseArgs({ allowPositionals: true, options: { scope: { type: "string" } } });
const [subject, ...others] = positionals;
if (subject === undefined || others.length > 0) {
  console.error(USAGE);
  process.exit(1);
}
const { JWT_ISSUER, JWT_AUDIENCE } = readSettings(process.env);
console.log(await issueToken({ subject, scope: values.scope, issuer: JWT_ISSUER, audience: JWT_AUDIENCE }));
