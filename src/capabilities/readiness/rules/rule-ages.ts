// When each rule of the configuration was first seen: nodes that are older are not held by it. A configuration has no times of its own, so
// they are kept in a ConfigMap; where that is lost every rule is new again, which holds nobody who was free.
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { formatTime } from '#kube/time/time.ts'
import { capabilityName } from '../names.ts'

export const rulesConfigMap = 'ballast-readiness-rules'

interface RuleAgesOptions {
  readonly api: Api
  readonly clock: Clock
  readonly namespace: string
  /** @throws when we lead no more. */
  readonly assertLeading: () => void
}

export class RuleAges {
  readonly #options: RuleAgesOptions
  #sinceMs: ReadonlyMap<string, number> | undefined

  constructor(options: RuleAgesOptions) {
    this.#options = options
  }

  /** The times of `rules`; what is new is written before it counts, what is no rule any more is forgotten. @throws StatusError */
  async of(rules: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const known = this.#sinceMs ?? (await this.#read(signal))
    this.#sinceMs = known
    const isSame = known.size === rules.length && rules.every(name => known.has(name))
    if (isSame) return known
    const { api, clock, namespace, assertLeading } = this.#options
    // Times are kept in whole seconds: whoever came in the very second of a rule counts as older.
    const nowMs = Math.ceil(clock.now() / 1_000) * 1_000
    const next = new Map(rules.map(name => [name, known.get(name) ?? nowMs]))
    assertLeading()
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: rulesConfigMap,
        namespace,
        labels: { 'ballast.dev/managed': 'true', 'ballast.dev/capability': capabilityName },
      },
      data: Object.fromEntries(Array.from(next, ([name, ms]) => [name, formatTime(ms)])),
    }
    await api
      .resource<KubeObject>(builtIn.configmaps)
      .apply(object, { namespace, signal, fieldManager: `ballast-${capabilityName}`, force: true })
    this.#sinceMs = next
    return next
  }

  async #read(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const { api, namespace } = this.#options
    try {
      const found = await api.resource<KubeObject>(builtIn.configmaps).get(rulesConfigMap, { namespace, signal })
      const data = typeof found['data'] === 'object' && found['data'] !== null ? found['data'] : {}
      const times = Object.entries(data).flatMap(([name, text]): [string, number][] => {
        const ms = Date.parse(String(text))
        return Number.isNaN(ms) ? [] : [[name, ms]]
      })
      return new Map(times)
    } catch (error) {
      if (isNotFound(error)) return new Map()
      throw error
    }
  }
}
