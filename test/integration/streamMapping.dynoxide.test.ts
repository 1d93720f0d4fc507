import { describeStreamMappingOn } from "./streamMapping.ts";

describeStreamMappingOn("dynoxide");
