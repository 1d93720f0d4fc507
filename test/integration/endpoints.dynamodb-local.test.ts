import { describeEndpointsOn } from "./endpoints.ts";

describeEndpointsOn("dynamodb-local");
