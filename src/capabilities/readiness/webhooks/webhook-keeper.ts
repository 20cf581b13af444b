// Keeps the configurations of the webhooks as they are wanted: that of nodes and that of rules.

import type { WebhookEndpoint } from '#coordination/capability.ts'
import type { EffectContext } from '#coordination/effects/effect-context.ts'
import { KeptWebhooks } from '#coordination/kept-webhooks.ts'
import { capabilityName } from '../names.ts'
import { nodeWebhookConfiguration, readinessConfigurationName, ruleWebhookConfiguration } from './admission.ts'

const kinds = {
  nodes: { kind: 'MutatingWebhookConfiguration', make: nodeWebhookConfiguration, path: '/mutate/nodes.readiness' },
  rules: { kind: 'ValidatingWebhookConfiguration', make: ruleWebhookConfiguration, path: '/validate/rules.readiness' },
} as const

export class WebhookKeeper {
  readonly #kept: KeptWebhooks
  readonly #webhooks: WebhookEndpoint | undefined

  constructor(effects: EffectContext, webhooks: WebhookEndpoint | undefined) {
    this.#kept = new KeptWebhooks({ effects, name: readinessConfigurationName, fieldManager: `ballast-${capabilityName}` })
    this.#webhooks = webhooks
  }

  /** Makes each configuration what `wanted` says; `undefined`: nobody knows yet, and it stays as it is. @throws StatusError */
  async keep(wanted: Readonly<Record<keyof typeof kinds, boolean | undefined>>, signal: AbortSignal): Promise<void> {
    for (const asked of ['nodes', 'rules'] as const) {
      if (wanted[asked] === undefined) continue
      const { kind, make, path } = kinds[asked]
      const endpoint = wanted[asked] ? this.#webhooks : undefined
      const object = endpoint === undefined ? undefined : make(endpoint.clientConfig(path), endpoint.annotations?.())
      await this.#kept.keep(kind, object, signal)
    }
  }
}
