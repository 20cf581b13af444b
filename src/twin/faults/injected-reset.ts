// A connection that a fault broke: no answer, not even a bad one.
import { ConnectionError } from '#kube/client/connection-error.ts'

/** Transports turn it into a destroyed socket, or, in memory, into what a client sees of one. */
export class InjectedReset extends ConnectionError {
  constructor(what: string) {
    super(`${what}: the connection was reset`, { code: 'ECONNRESET' })
  }
}
