/**
 * For jest's `globalSetup`: one gateway for all test files of a run, found by `useCeph` through the environment. Jest
 * loads it as plain Node does, so the configuration names the compiled file, `dist-test/helpers/ceph-setup.js`.
 */
import { startCeph, type Ceph } from './ceph.js';

declare global {
  var sharedCeph: Ceph | undefined;
}

export default async function setup(): Promise<void> {
  if (process.env['HLS_TEST_S3_ENDPOINT']) return;
  const ceph = await startCeph();
  globalThis.sharedCeph = ceph;
  process.env['HLS_TEST_S3_ENDPOINT'] = ceph.endpoint;
  process.env['HLS_TEST_S3_ACCESS_KEY'] = ceph.accessKey;
  process.env['HLS_TEST_S3_SECRET_KEY'] = ceph.secretKey;
}
