import { sqsDeliverySender } from "../lib/aws/deliveries.ts";
import { dynamoEndpoints as endpoints } from "../lib/aws/endpoints.ts";
import { HttpProblem } from "../lib/http/problem.ts";
import { readJson } from "../lib/http/request.ts";
import { jsonResponse } from "../lib/http/response.ts";
import { adminRoute, routes } from "../lib/http/route.ts";
import {
  allowedUrl,
  endpointBody,
  endpointPatch,
  endpointView,
  notFound,
  readEndpointId,
} from "../lib/http/webhooks.ts";
import { systemClock as clock } from "../lib/runtime/clock.ts";
import { setting } from "../lib/runtime/config.ts";
import { webhookId } from "../lib/webhooks/delivery.ts";
import { newEndpoint, rotateSecret } from "../lib/webhooks/endpoint.ts";
import { sendTestEvent } from "../lib/webhooks/publish.ts";

const create = adminRoute().handler(async (event) => {
  const body = readJson(event, endpointBody);
  const { endpoint, secret } = newEndpoint({ ...body, url: allowedUrl(body.url) }, clock);
  if (!(await endpoints.create(endpoint))) throw new HttpProblem("endpoint_limit");
  return jsonResponse(201, { ...endpointView(endpoint), secret }, { location: `/v1/webhooks/${endpoint.id}` });
});

const list = adminRoute().handler(async () => {
  return jsonResponse(200, { data: (await endpoints.list()).map(endpointView) });
});

const get = adminRoute().handler(async (event) => {
  const endpoint = (await endpoints.find(readEndpointId(event))) ?? notFound();
  return jsonResponse(200, endpointView(endpoint));
});

const change = adminRoute().handler(async (event) => {
  const id = readEndpointId(event);
  const { url, ...patch } = readJson(event, endpointPatch);
  const updated = await endpoints.update(id, {
    ...patch,
    ...(url !== undefined && { url: allowedUrl(url) }),
    // The reason is of the ledger's last change of the status.
    ...(patch.status && { disabledReason: null }),
  });
  return jsonResponse(200, endpointView(updated ?? notFound()));
});

const remove = adminRoute().handler(async (event) => {
  if (!(await endpoints.remove(readEndpointId(event)))) notFound();
  return { statusCode: 204 };
});

const rotate = adminRoute().handler(async (event) => {
  const secret = (await rotateSecret(readEndpointId(event), { endpoints, clock })) ?? notFound();
  return jsonResponse(201, { secret });
});

const sendTest = adminRoute().handler(async (event) => {
  const endpoint = (await endpoints.find(readEndpointId(event))) ?? notFound();
  if (endpoint.status === "disabled") throw new HttpProblem("endpoint_disabled");
  const eventId = await sendTestEvent(endpoint, setting("EVENT_SOURCE"), { sender: sqsDeliverySender, clock });
  return jsonResponse(202, { eventId, webhookId: webhookId({ endpointId: endpoint.id, eventId }) });
});

/** The webhook endpoints, for operators. */
export const handler = routes([
  { method: "POST", path: "/v1/webhooks", handler: create },
  { method: "GET", path: "/v1/webhooks", handler: list },
  { method: "GET", path: "/v1/webhooks/{id}", handler: get },
  { method: "PATCH", path: "/v1/webhooks/{id}", handler: change },
  { method: "DELETE", path: "/v1/webhooks/{id}", handler: remove },
  { method: "POST", path: "/v1/webhooks/{id}/secret-rotations", handler: rotate },
  { method: "POST", path: "/v1/webhooks/{id}/test-events", handler: sendTest },
]);
