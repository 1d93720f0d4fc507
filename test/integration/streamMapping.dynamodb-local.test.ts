import { describeStreamMappingOn } from "./streamMapping.ts";

describeStreamMappingOn("dynamodb-local");
