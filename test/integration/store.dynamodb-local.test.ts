import { describeStoreOn } from "./storeSuite.ts";

describeStoreOn("dynamodb-local");
