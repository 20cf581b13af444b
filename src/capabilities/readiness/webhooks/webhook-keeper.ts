// Keeps the configurations of the webhooks as they are wanted: written where they are missing or say something else, taken away otherwise.
import { isDeepStrictEqual } from 'node:util'
import type { WebhookEndpoint } from '#coordination/capability.ts'
import type { EffectContext } from '#coordination/effects/effect-context.ts'
import { takeAway } from '#kube/client/take-away.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { capabilityName } from '../names.ts'
import { nodeWebhookConfiguration, readinessConfigurationName, ruleWebhookConfiguration } from './admission.ts'

/** How old what we wrote may be: others may have changed or deleted it. */
const freshMs = 10 * 60_000

const kinds = {
  nodes: { resource: builtIn.mutatingwebhookconfigurations, make: nodeWebhookConfiguration, path: '/mutate/nodes.readiness' },
  rules: { resource: builtIn.validatingwebhookconfigurations, make: ruleWebhookConfiguration, path: '/validate/rules.readiness' },
} as const
type Kind = keyof typeof kinds

export class WebhookKeeper {
  readonly #effects: EffectContext
  readonly #webhooks: WebhookEndpoint | undefined
  readonly #written = new Map<Kind, { readonly object: KubeObject | undefined; readonly atMs: number }>()

  constructor(effects: EffectContext, webhooks: WebhookEndpoint | undefined) {
    this.#effects = effects
    this.#webhooks = webhooks
  }

  /** Makes each configuration what `wanted` says; `undefined`: nobody knows yet, and it stays as it is. @throws StatusError */
  async keep(wanted: Readonly<Record<Kind, boolean | undefined>>, signal: AbortSignal): Promise<void> {
    for (const kind of ['nodes', 'rules'] as const) {
      if (wanted[kind] === undefined) continue
      const endpoint = wanted[kind] ? this.#webhooks : undefined
      const { make, path } = kinds[kind]
      const object = endpoint === undefined ? undefined : make(endpoint.clientConfig(path), endpoint.annotations?.())
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
    const configurations = this.#effects.api.resource<KubeObject>(kinds[kind].resource)
    this.#effects.leadership.assert()
    if (object !== undefined) {
      await configurations.apply(object, { signal, fieldManager: `ballast-${capabilityName}`, force: true })
      return
    }
    await takeAway(configurations, readinessConfigurationName, { signal })
  }
}
