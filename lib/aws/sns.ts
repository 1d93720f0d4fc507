import { SNSClient } from "@aws-sdk/client-sns";
import { TIMEOUTS } from "./timeouts.ts";
import { sdkHandlerOptions } from "./transport/httpHandler.ts";
import { createTransport } from "./transport/transport.ts";

const client = new SNSClient({ maxAttempts: 2, requestHandler: sdkHandlerOptions(TIMEOUTS) });

/** Apart from clients.ts, so that only the functions that publish contain it. */
export const sns = createTransport(client, "sns", TIMEOUTS);
