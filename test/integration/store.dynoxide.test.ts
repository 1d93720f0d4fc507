import { describeStoreOn } from "./dynamoStore.ts";

describeStoreOn("dynoxide");
