import type { Peer } from '../contract.ts'

/** A peer of which nothing matters but who it is. */
export const namedPeer = (id: string): Peer => ({ id, hosts: ['10.0.0.1'], agent: undefined, zone: undefined, isOurs: true })
