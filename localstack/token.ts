import * as z from "zod";
import { userId } from "../lib/http/schemas.ts";
import { command } from "../scripts/command.ts";
import { issueToken } from "./identityProvider.ts";
import { readSettings } from "./settings.ts";

const USAGE = `Usage: npm run -s token -- USER [--scope "SCOPE ..."]

Prints a token of the local identity provider for USER, valid for 12 hours. With the scope wallets:admin, USER can act for all users.`;

const definition = { usage: USAGE, options: { scope: z.string().optional() }, positionals: { user: userId } };

await command(
  definition,
  async ({ user, scope }) => {
    const { JWT_ISSUER, JWT_AUDIENCE } = readSettings(process.env);
    console.log(await issueToken({ subject: user, scope, issuer: JWT_ISSUER, audience: JWT_AUDIENCE }));
  },
  true,
);
