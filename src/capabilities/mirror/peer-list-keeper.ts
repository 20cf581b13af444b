// Keeps the ConfigMap that tells mirrors of each other, without names service, token or network of pods.
import { type ControllerContext, standardAgentNamespace } from '#coordination/capability.ts'
import { applyFields } from '#kube/client/apply.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { peersConfigMap, peersKey } from './agent-objects.ts'
import { peerList } from './peer-list.ts'

/** So long an unchanged list is believed to be there. */
const believedMs = 300_000

type Context = Pick<ControllerContext, 'api' | 'clock' | 'identity'> & Partial<Pick<ControllerContext, 'leading'>>

export class PeerListKeeper {
  readonly #context: Context
  #written: { readonly text: string; readonly atMs: number } | undefined

  constructor(context: Context) {
    this.#context = context
  }

  /** How many nodes are listed; `undefined` before the first write. */
  get count(): number | undefined {
    return this.#written?.text.split('\n').filter(Boolean).length
  }

  /** Writes the list where it is another. @throws StatusError, ConnectionError */
  async keep(nodes: readonly Node[], signal: AbortSignal): Promise<void> {
    const { api, clock, identity, leading } = this.#context
    const text = peerList(nodes)
    const nowMs = clock.elapsed()
    if (this.#written?.text === text && nowMs - this.#written.atMs < believedMs) return
    const namespace = identity.agentNamespace ?? standardAgentNamespace
    const maps = api.resource<KubeObject>(builtIn.configmaps)
    const there = await maps.get(peersConfigMap, { namespace, signal }).catch((error: unknown) => {
      if (isNotFound(error)) return undefined
      throw error
    })
    const data: unknown = there?.['data']
    const isSame = typeof data === 'object' && data !== null && Reflect.get(data, peersKey) === text
    if (!isSame) {
      leading?.effects.leadership.assert()
      await applyFields(
        maps,
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: peersConfigMap, namespace, labels: { 'ballast.dev/managed': 'true' } },
          data: { [peersKey]: text },
        },
        { fieldManager: 'ballast-mirror', force: true, namespace, signal },
      )
    }
    this.#written = { text, atMs: nowMs }
  }
}
