/** The part of serverless-offline that the event source mapping needs; the package ships no types. */
declare module "serverless-offline/lambda" {
  interface LambdaInstance {
    setEvent(event: unknown): void;
    runHandler(): Promise<unknown>;
  }

  export default class Lambda {
    constructor(serverless: unknown, options: object);
    create(lambdas: readonly { readonly functionKey: string; readonly functionDefinition: unknown }[]): void;
    get(functionKey: string): LambdaInstance;
  }
}
