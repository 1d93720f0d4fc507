import { describeStoreOn } from "./dynamoStore.ts";

describeStoreOn("dynamodb-local");
