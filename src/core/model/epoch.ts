/**
 * The epoch of a lease: it grows by one whenever a server takes over. Every state write and every effect carries it;
 * store, runner and gateway refuse one that is lower than the highest they have seen.
 */
export type Epoch = number
