export * from './object-store.js';
export * from './open-store.js';
export { StoreError, type StoreErrorCode } from './store-error.js';
export * from './store-url.js';
