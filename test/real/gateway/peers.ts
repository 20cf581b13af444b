// Our own Go programs for the gateway's checks and measurements (`peers/`): built anew whenever their source changes.
import { join } from 'node:path'
import { builtOnce } from '../cache.ts'
import { builtProgram } from '../clients/build.ts'

/** Path of the program. @throws PartUnavailable without Go or a way to its modules */
export function gatewayPeers(): Promise<string> {
  return builtOnce("the gateway's peers", () => builtProgram(join(import.meta.dirname, 'peers'), 'gateway-peers'))
}
