// Tells workers what rules look at, and knows which of what they published is enough for which rules. The list outlives the process in a ConfigMap of
// the agents' namespace; whoever leads next begins with what stands there.

import { type EffectContext, effectOptions, leadingGuard } from '#coordination/effects/effect-context.ts'
import { takeAway } from '#kube/client/take-away.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { capabilityName } from '../names.ts'
import { covers, type References } from '../rules/references.ts'
import { ofWorkers, readWantedList, spreadKey, spreadOf, wantedConfigMap, wantedKey, wantedList } from '../rules/wanted-list.ts'

/** So long an unchanged list is believed to be there. */
const believedMs = 300_000
/** Lists of which is known what they name: workers that are late still publish for earlier ones. */
const mostKnownLists = 16

export class WantedKeeper {
  readonly #effects: EffectContext
  readonly #namespace: string
  /** By digest, the one that was told last at the end. */
  readonly #known = new Map<string, References>()
  #written: { readonly text: string; readonly atMs: number } | undefined

  /** `namespace` is the agents'. */
  constructor(effects: EffectContext, namespace: string) {
    this.#effects = effects
    this.#namespace = namespace
  }

  /** Whether what was published for a list has all that `references` look at. A list that nobody knows any more may lack anything. */
  isEnough(publishedFor: string | undefined, references: References): boolean {
    if (publishedFor === undefined) return true
    const known = this.#known.get(publishedFor)
    return known !== undefined && covers(known, ofWorkers(references))
  }

  /** Writes the list where another one stands there. @throws StatusError, ConnectionError; what the leadership throws when we lead no more */
  async keep(references: References, nodes: number, signal: AbortSignal): Promise<void> {
    const { api, clock } = this.#effects
    const { text } = wantedList(references)
    const nowMs = clock.elapsed()
    if (this.#written?.text === text && nowMs - this.#written.atMs < believedMs) return
    const maps = api.resource<KubeObject>(builtIn.configmaps)
    const there = await maps.get(wantedConfigMap, { namespace: this.#namespace, signal }).catch((error: unknown) => {
      if (isNotFound(error)) return undefined
      throw error
    })
    const before = textOf(there)
    if (before !== undefined) this.#learn(before)
    this.#learn(text)
    if (before !== text) {
      const options = effectOptions(capabilityName, this.#namespace, { guard: leadingGuard(this.#effects), signal })
      const object = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: wantedConfigMap, namespace: this.#namespace, labels: { 'ballast.dev/managed': 'true' } },
        data: { [wantedKey]: text, [spreadKey]: String(spreadOf(nodes)) },
      }
      await maps.apply(object, { ...options, fieldManager: `ballast-${capabilityName}`, force: true })
    }
    this.#written = { text, atMs: nowMs }
  }

  /** Takes the list away, so that workers publish everything: nobody keeps it from now on. @throws StatusError, ConnectionError */
  async end(signal: AbortSignal): Promise<void> {
    await takeAway(this.#effects.api.resource<KubeObject>(builtIn.configmaps), wantedConfigMap, {
      namespace: this.#namespace,
      signal,
    })
    this.#written = undefined
  }

  #learn(text: string): void {
    const read = readWantedList(text)
    if (!read.ok || read.digest === undefined) return
    this.#known.delete(read.digest)
    this.#known.set(read.digest, read.references)
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= mostKnownLists) break
      this.#known.delete(oldest)
    }
  }
}

function textOf(map: KubeObject | undefined): string | undefined {
  const data: unknown = map?.['data']
  const text: unknown = typeof data === 'object' && data !== null ? Reflect.get(data, wantedKey) : undefined
  return typeof text === 'string' ? text : undefined
}
