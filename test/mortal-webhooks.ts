// The webhooks of one controller at an endpoint that outlives it: gone while they are away, and for good with their controller. Who calls
// meanwhile finds nobody (404), which API servers take like a connection that is refused.
import type { WebhookEndpoint } from '#coordination/capability.ts'
import type { Webhook } from '#kube/server/admission.ts'

export class MortalWebhooks implements WebhookEndpoint {
  readonly #endpoint: WebhookEndpoint
  readonly #wanted = new Set<Webhook>()
  readonly #served = new Map<Webhook, Disposable>()
  #isAway = false

  constructor(endpoint: WebhookEndpoint) {
    this.#endpoint = endpoint
  }

  clientConfig(path: string): Readonly<Record<string, unknown>> {
    return this.#endpoint.clientConfig(path)
  }

  serve(webhook: Webhook): Disposable {
    this.#wanted.add(webhook)
    this.#follow()
    return {
      [Symbol.dispose]: () => {
        this.#wanted.delete(webhook)
        this.#follow()
      },
    }
  }

  goAway(): void {
    this.#isAway = true
    this.#follow()
  }

  comeBack(): void {
    this.#isAway = false
    this.#follow()
  }

  #follow(): void {
    for (const [webhook, served] of this.#served) {
      if (!this.#isAway && this.#wanted.has(webhook)) continue
      served[Symbol.dispose]()
      this.#served.delete(webhook)
    }
    if (this.#isAway) return
    for (const webhook of this.#wanted) if (!this.#served.has(webhook)) this.#served.set(webhook, this.#endpoint.serve(webhook))
  }
}
