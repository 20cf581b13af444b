// The update webhook: instead of a reload, somebody else is told that an object changed. Which one is not said, as upstream.

import { OutgoingHttp } from '#kube/client/outgoing-http.ts'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { post, shownUrl } from './outgoing-http.ts'
import type { ToldSource } from './telling.ts'

const message = { body: JSON.stringify({ webhook: 'update successful' }), contentType: 'application/json' }

/** Without a guard of addresses: the configuration names the receiver, and no object of a user does. */
export class UpdateWebhook implements AsyncDisposable {
  readonly #url: URL
  readonly #log: Log
  readonly #http: OutgoingHttp

  constructor(options: { readonly url: URL; readonly clock: Clock; readonly log: Log }) {
    this.#url = options.url
    this.#log = options.log
    this.#http = new OutgoingHttp({ clock: options.clock })
  }

  /** Any answer counts. @throws where nobody answers */
  async tell({ type, namespace, name }: ToldSource, signal: AbortSignal): Promise<void> {
    const to = shownUrl(this.#url)
    const status = await post(this.#http, this.#url, message, signal)
    const facts = { to, status, type, namespace, name }
    if (status < 300) this.#log.info(facts, 'change told to the update webhook')
    else this.#log.warn(facts, 'the update webhook answered with a failure: not tried again')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]()
  }
}
