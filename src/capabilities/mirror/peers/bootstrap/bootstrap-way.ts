// What each way of finding the first peers has to say.
import type { Address, Contact } from '../address.ts'

export interface OwnContact {
  readonly id: string
  readonly addresses: readonly Address[]
}

export interface Bootstrap {
  /** Whom to ask first, possibly ourselves among them. @throws Error where that cannot be found out now. */
  find(signal: AbortSignal): Promise<readonly Contact[]>
  /** Tells others of us, where the kind has that. */
  serve?(own: () => OwnContact): Promise<AsyncDisposable>
}
