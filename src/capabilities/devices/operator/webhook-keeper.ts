// Keeps the configurations that make API servers ask: written where they are missing or say something else, taken away where they are not wanted.

import { isDeepStrictEqual } from 'node:util'
import type { WebhookEndpoint } from '#coordination/capability.ts'
import type { EffectContext } from '#coordination/effects/effect-context.ts'
import { takeAway } from '#kube/client/take-away.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { capabilityName } from '../names.ts'
import { admissionConfiguration, admissionConfigurationName } from './admission.ts'
import type { OperatorConfig } from './operator-settings.ts'

/** How old what we wrote may be: others may have changed or deleted it. */
const freshMs = 10 * 60_000

const kinds = {
  MutatingWebhookConfiguration: builtIn.mutatingwebhookconfigurations,
  ValidatingWebhookConfiguration: builtIn.validatingwebhookconfigurations,
} as const
type Kind = keyof typeof kinds
const kindNames: readonly Kind[] = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration']

export class WebhookKeeper {
  readonly #effects: EffectContext
  readonly #webhooks: WebhookEndpoint | undefined
  readonly #written = new Map<Kind, { readonly object: KubeObject | undefined; readonly atMs: number }>()

  constructor(effects: EffectContext, webhooks: WebhookEndpoint | undefined) {
    this.#effects = effects
    this.#webhooks = webhooks
  }

  /** Makes both what `config` says. Where configurations of upstream's are in use nothing of ours is there to be looked for. @throws StatusError */
  async keep({ enabled, admission, devices }: OperatorConfig, signal: AbortSignal): Promise<void> {
    if (enabled && admission === 'upstream') return
    const endpoint = enabled && admission === 'own' ? this.#webhooks : undefined
    for (const kind of kindNames) {
      const object = endpoint === undefined ? undefined : admissionConfiguration(kind, devices, endpoint)
      const known = this.#written.get(kind)
      const nowMs = this.#effects.clock.elapsed()
      // What is not wanted is taken away once: only we could make it again.
      const isFresh = known !== undefined && (object === undefined || nowMs - known.atMs < freshMs)
      if (isFresh && isDeepStrictEqual(known.object, object)) continue
      await this.#write(kind, object, signal)
      this.#written.set(kind, { object, atMs: nowMs })
    }
  }

  async #write(kind: Kind, object: KubeObject | undefined, signal: AbortSignal): Promise<void> {
    const configurations = this.#effects.api.resource<KubeObject>(kinds[kind])
    this.#effects.leadership.assert()
    if (object === undefined) await takeAway(configurations, admissionConfigurationName, { signal })
    else await configurations.apply(object, { signal, fieldManager: `ballast-${capabilityName}`, force: true })
  }
}
