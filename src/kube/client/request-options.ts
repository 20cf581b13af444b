// What every request to the API server may say besides what it asks.
import type { TransportRequest } from './transport.ts'

export interface RequestOptions {
  readonly signal: AbortSignal
  readonly namespace?: string | undefined
  readonly priority?: TransportRequest['priority']
  /** Real time for the whole exchange; 30 s, lists 60 s a page. */
  readonly timeoutMs?: number
  /** More query parameters, such as `timeout: '4s'`. */
  readonly query?: Readonly<Record<string, string>>
  /** As `TransportRequest.guard`. */
  readonly guard?: () => void
}
