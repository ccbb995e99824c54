/** Buckets for tests, on any S3 server. */
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListObjectsV2Command,
  PutBucketCorsCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { S3Server } from './ceph.js';

export interface BucketOptions {
  /** Anyone may GET objects (not list them), pages of any origin too: what hls.js in a browser needs. */
  publicRead?: boolean;
}

/** A client of the SDK as the tests use it, apart from the one under test. */
export function s3Client({ endpoint, accessKey, secretKey }: S3Server): S3Client {
  // Else it tells at every start that its versions of 2027 need Node 22.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
  return new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

/** Makes a bucket; one of this name and owner that exists is changed as told. */
export async function makeBucket(
  server: S3Server,
  name: string,
  { publicRead = false }: BucketOptions = {},
): Promise<void> {
  await withClient(server, async (client) => {
    await client.send(new CreateBucketCommand({ Bucket: name }));
    if (!publicRead) return;
    await setPolicy(client, name, [{ effect: 'Allow', action: 's3:GetObject', on: 'objects' }]);
    await client.send(
      new PutBucketCorsCommand({
        Bucket: name,
        CORSConfiguration: {
          CORSRules: [
            {
              AllowedMethods: ['GET', 'HEAD'],
              AllowedOrigins: ['*'],
              AllowedHeaders: ['*'],
              MaxAgeSeconds: 600,
            },
          ],
        },
      }),
    );
  });
}

export interface PolicyStatement {
  effect: 'Allow' | 'Deny';
  action: string;
  on: 'bucket' | 'objects';
}

/** Sets a policy for everyone; a Deny holds for the owner of the objects, too. */
export async function setPolicy(
  client: S3Client,
  bucket: string,
  statements: readonly PolicyStatement[],
): Promise<void> {
  const policy = {
    Version: '2012-10-17',
    Statement: statements.map(({ effect, action, on }) => ({
      Effect: effect,
      Principal: '*',
      Action: [action],
      Resource: [`arn:aws:s3:::${bucket}${on === 'objects' ? '/*' : ''}`],
    })),
  };
  await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: JSON.stringify(policy) }));
}

/** The keys of a bucket's objects, 1000 at most. */
export async function keysIn(server: S3Server, name: string): Promise<string[]> {
  return withClient(server, (client) => list(client, name));
}

/** Deletes all objects of a bucket, and the bucket. */
export async function removeBucket(server: S3Server, name: string): Promise<void> {
  await withClient(server, async (client) => {
    for (let keys = await list(client, name); keys.length > 0; keys = await list(client, name)) {
      for (const Key of keys) await client.send(new DeleteObjectCommand({ Bucket: name, Key }));
    }
    await client.send(new DeleteBucketCommand({ Bucket: name }));
  });
}

/** The gateway makes its pools at the first bucket, object and multipart upload, 2 s each: that is no test's time. */
export async function warmUp(server: S3Server): Promise<void> {
  const object = { Bucket: 'warm-up', Key: 'object' };
  await withClient(server, async (client) => {
    await client.send(new CreateBucketCommand({ Bucket: object.Bucket }));
    await client.send(new PutObjectCommand({ ...object, Body: 'x' }));
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(object));
    await client.send(new AbortMultipartUploadCommand({ ...object, UploadId }));
  });
  await removeBucket(server, object.Bucket);
}

async function list(client: S3Client, name: string): Promise<string[]> {
  const { Contents: objects = [] } = await client.send(new ListObjectsV2Command({ Bucket: name }));
  return objects.flatMap(({ Key }) => Key ?? []);
}

async function withClient<T>(server: S3Server, use: (client: S3Client) => Promise<T>): Promise<T> {
  const client = s3Client(server);
  try {
    return await use(client);
  } finally {
    client.destroy();
  }
}
