import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import * as z from "zod";
import { CommandError } from "../../../scripts/command.ts";

/** What `antler login` keeps of an API. */
const credentialSchema = z.object({
  token: z.string(),
  /** The name by which `--stage` finds the API. */
  stage: z.string().optional(),
  /** How to get the next token; absent if the provider gives none. */
  refresh: z.object({ issuer: z.string(), clientId: z.string(), token: z.string(), expiresAt: z.string() }).optional(),
});

export type Credential = z.output<typeof credentialSchema>;

const fileSchema = z.record(z.string(), credentialSchema);

/** By the URLs of the APIs. */
export type Credentials = ReadonlyMap<string, Credential>;

function credentialsFile(): string {
  return join(process.env.XDG_CONFIG_HOME || join(homedir(), ".config"), "antler", "credentials.json");
}

/** @throws CommandError if the file is not one of `antler login` */
export async function readCredentials(): Promise<Credentials> {
  const file = credentialsFile();
  try {
    return new Map(Object.entries(fileSchema.parse(JSON.parse(await readFile(file, "utf8")))));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return new Map();
    throw new CommandError(`${file} can't be read. Delete it, and run antler login again`);
  }
}

/** Replaces the file as a whole. Only its owner can read it. */
export async function writeCredentials(credentials: Credentials): Promise<void> {
  const file = credentialsFile();
  const draft = `${file}.${process.pid}`;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  try {
    await writeFile(draft, JSON.stringify(Object.fromEntries(credentials), undefined, 2), {
      mode: 0o600,
      flag: "wx",
      flush: true,
    });
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}
