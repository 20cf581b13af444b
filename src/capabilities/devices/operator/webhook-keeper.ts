// Keeps the configurations that make API servers ask: both where our own admission is wanted, none otherwise.

import type { WebhookEndpoint } from '#coordination/capability.ts'
import type { EffectContext } from '#coordination/effects/effect-context.ts'
import { KeptWebhooks } from '#coordination/kept-webhooks.ts'
import { capabilityName } from '../names.ts'
import { admissionConfiguration, admissionConfigurationName } from './admission.ts'
import type { OperatorConfig } from './operator-settings.ts'

export class WebhookKeeper {
  readonly #kept: KeptWebhooks
  readonly #webhooks: WebhookEndpoint | undefined

  constructor(effects: EffectContext, webhooks: WebhookEndpoint | undefined) {
    this.#kept = new KeptWebhooks({ effects, name: admissionConfigurationName, fieldManager: `ballast-${capabilityName}` })
    this.#webhooks = webhooks
  }

  /** Makes both what `config` says. Where configurations of upstream's are in use nothing of ours is there to be looked for. @throws StatusError */
  async keep({ enabled, admission, devices }: OperatorConfig, signal: AbortSignal): Promise<void> {
    if (enabled && admission === 'upstream') return
    const endpoint = enabled && admission === 'own' ? this.#webhooks : undefined
    for (const kind of ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'] as const)
      await this.#kept.keep(kind, endpoint === undefined ? undefined : admissionConfiguration(kind, devices, endpoint), signal)
  }
}
