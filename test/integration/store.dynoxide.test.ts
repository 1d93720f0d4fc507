import { describeStoreOn } from "./storeSuite.ts";

describeStoreOn("dynoxide");
