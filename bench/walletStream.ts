import {
  type _Record,
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListStreamsCommand,
} from "@aws-sdk/client-dynamodb-streams";

/** Reads the stream of a stage's wallets from an engine, where nothing is counted. */
export async function walletStream(port: string | undefined, stage: string) {
  const client = new DynamoDBStreamsClient({ endpoint: `http://127.0.0.1:${port}` });
  const { Streams = [] } = await client.send(new ListStreamsCommand({ TableName: `antler-${stage}-wallets` }));
  const StreamArn = Streams[0]?.StreamArn;
  const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamArn }));
  const ShardId = StreamDescription?.Shards?.[0]?.ShardId;
  const first = await client.send(
    new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" }),
  );
  let iterator = first.ShardIterator;
  return {
    /** The records since the last call. */
    async next(): Promise<_Record[]> {
      const all: _Record[] = [];
      for (;;) {
        const { Records = [], NextShardIterator } = await client.send(
          new GetRecordsCommand({ ShardIterator: iterator }),
        );
        iterator = NextShardIterator;
        if (Records.length === 0) return all;
        all.push(...Records);
      }
    },
  };
}
