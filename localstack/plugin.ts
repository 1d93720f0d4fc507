export default class Plugin {
  hooks = {};
  constructor(serverless: unknown) {
    void serverless;
  }
}
