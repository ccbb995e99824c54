/** For jest's `globalTeardown`: ends what `ceph-setup.ts` started. */
export default async function teardown(): Promise<void> {
  await globalThis.sharedCeph?.stop();
}
