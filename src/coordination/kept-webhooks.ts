// Keeps the configurations by which API servers ask our webhooks as they are wanted: written where they are missing or say something else, taken away
// where they are not wanted.

import { isDeepStrictEqual } from 'node:util'
import { takeAway } from '#kube/client/take-away.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { EffectContext } from './effects/effect-context.ts'

/** How old what we wrote may be: others may have changed or deleted it. */
const freshMs = 10 * 60_000

const resources = {
  MutatingWebhookConfiguration: builtIn.mutatingwebhookconfigurations,
  ValidatingWebhookConfiguration: builtIn.validatingwebhookconfigurations,
} as const

type WebhookKind = keyof typeof resources

interface Kept {
  readonly effects: EffectContext
  /** The name of both configurations. */
  readonly name: string
  readonly fieldManager: string
}

export class KeptWebhooks {
  readonly #kept: Kept
  readonly #written = new Map<WebhookKind, { readonly object: KubeObject | undefined; readonly atMs: number }>()

  constructor(kept: Kept) {
    this.#kept = kept
  }

  /** Makes the configuration `object`; without one it is taken away. @throws StatusError; what the leadership throws when we lead no more */
  async keep(kind: WebhookKind, object: KubeObject | undefined, signal: AbortSignal): Promise<void> {
    const { effects, name, fieldManager } = this.#kept
    const known = this.#written.get(kind)
    const nowMs = effects.clock.elapsed()
    // What is not wanted is taken away once: only we could make it again.
    const isFresh = known !== undefined && (object === undefined || nowMs - known.atMs < freshMs)
    if (isFresh && isDeepStrictEqual(known.object, object)) return
    const configurations = effects.api.resource<KubeObject>(resources[kind])
    effects.leadership.assert()
    if (object === undefined) await takeAway(configurations, name, { signal })
    else await configurations.apply(object, { signal, fieldManager, force: true })
    this.#written.set(kind, { object, atMs: nowMs })
  }
}
