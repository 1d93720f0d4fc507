import { describeEndpointsOn } from "./endpoints.ts";

describeEndpointsOn("dynoxide");
