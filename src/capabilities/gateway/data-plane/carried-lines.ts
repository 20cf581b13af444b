// A line for each request that the data plane carried, as its configuration has them written.
import { againServer } from './haproxy-configuration.ts'

/** One carried request that is over. */
export interface CarriedRequest {
  /** `namespace/name` of its route. */
  readonly key: string
  readonly method: string
  readonly status: number
  readonly seconds: number
}

/** A line is shorter than this; what is longer is none of ours. */
const mostLineBytes = 4_096
/** How HAProxy says that a client left, and that no byte of an answer's body had been sent: then the status is one of its own. */
const leftBeforeAnswer = /^C[RQCH]/
/** A request without an answer counts with it, as the gateway's own do. */
const leftStatus = 499

/** Reads a stream of lines, however it is cut. */
export class CarriedLines {
  #rest = ''

  /** The requests of all lines that are whole now; `again` was told by the gateway itself. */
  read(chunk: Buffer): readonly CarriedRequest[] {
    const lines = (this.#rest + chunk.toString('latin1')).split('\n')
    this.#rest = (lines.pop() ?? '').slice(-mostLineBytes)
    return lines.flatMap(line => {
      const [key = '', method = '', status = '', micros = '', server = '', end = ''] = line.split('\t')
      const code = Number(status)
      if (!key.includes('/') || server.startsWith(againServer)) return []
      return [
        {
          key,
          method,
          status: code >= 100 && !leftBeforeAnswer.test(end) ? code : leftStatus,
          seconds: Math.max(0, Number(micros) || 0) / 1e6,
        },
      ]
    })
  }
}
