import { hash, randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import * as z from "zod";
import { COMMAND_TYPES } from "../lib/domain/command.ts";
import { type EventView, eventSchema } from "../lib/http/schemas.ts";
import { command } from "./command.ts";
import { EventQueue } from "./eventQueue.ts";
import { printable } from "./printable.ts";
import { findEventsTopic, stage, useStage } from "./target.ts";

const USAGE = `Usage: npm run listen -- [--user USER] [--type TYPE] [--forward-to URL] [--stage STAGE]

Prints the events as they are published, through a temporary queue that it removes at its end, until Ctrl-C: all events, or those
of one user and of one type of transaction. With --forward-to, it also posts each event to the URL, signed by Standard Webhooks.
Without --stage, it uses the stack of npm start. Without access to AWS, antler history --follow prints the decisions of a wallet.`;

const FORWARD_TIMEOUT_MS = 15_000;

const definition = {
  usage: USAGE,
  options: {
    user: z.string().min(1, "must not be empty").optional(),
    type: z.enum(COMMAND_TYPES, `must be one of ${COMMAND_TYPES.join(", ")}`).optional(),
    "forward-to": z.url({ protocol: /^https?$/, error: "must be an http or https URL" }).optional(),
    stage,
  },
};

export default await command(
  definition,
  async ({ user, type, stage, "forward-to": forwardTo }) => {
    const stopping = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stopping.abort());
    // The reader of the output has ended.
    process.stdout.on("error", () => stopping.abort());
    useStage(stage);
    const prefix = `antler-${stage}-listen-`;
    const queue = new EventQueue(await findEventsTopic(stage));
    const secret = `whsec_${randomBytes(32).toString("base64")}`;
    try {
      await queue.removeStale(prefix);
      await queue.open(`${prefix}${randomBytes(8).toString("hex")}.fifo`, filterOf(user, type));
      if (forwardTo !== undefined) console.log(`Signing secret: ${secret}`);
      console.log(`Listening to the events of the stage ${stage}. Ctrl-C ends.`);
      while (!stopping.signal.aborted) {
        for (const body of await queue.receive(stopping.signal)) {
          const event = eventSchema.parse(JSON.parse(body));
          print(lineOf(event));
          if (forwardTo !== undefined) print(`  ${await forward(event.id, body, forwardTo, secret)}`);
        }
      }
    } catch (error) {
      if (!stopping.signal.aborted) throw error;
    } finally {
      await queue.close();
    }
  },
  import.meta.main,
);

/** Prints a line that contains text of an event or of a receiver. */
function print(line: string): void {
  console.log(printable(line));
}

function filterOf(user: string | undefined, type: string | undefined) {
  if (user === undefined && type === undefined) return undefined;
  return { data: { ...(user !== undefined && { userId: [user] }), ...(type !== undefined && { type: [type] }) } };
}

/** Its time, id, type, status, and amount: the requested one, or those of the postings. */
function lineOf({ time, id, data }: EventView): string {
  const requested = "amount" in data && data.amount !== null ? [data] : data.postings;
  const amounts = requested.map(({ amount, currency }) => `${amount} ${currency}`);
  return [time, id, data.type, data.status, amounts.join(", ")].join("  ").trimEnd();
}

/** @returns what the receiver answered, in one line */
async function forward(eventId: string, body: string, url: string, secret: string): Promise<string> {
  const now = new Date();
  // An event has the same id whenever it is published.
  const id = `msg_${hash("sha256", eventId)}`;
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
        "webhook-signature": new Webhook(secret).sign(id, now, body),
      },
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(FORWARD_TIMEOUT_MS),
    });
    await response.body?.cancel();
    return `${url} answered ${response.status}`;
  } catch (error) {
    const { cause, message } = error instanceof Error ? error : new Error(String(error));
    return `${url} did not answer: ${cause instanceof Error ? cause.message : message}`;
  }
}
