// With whom slices of ours go: the ClusterRole of the gateway's account, which is there while the gateway is installed. The cluster's collector
// takes them away when it goes, whoever runs then and with whatever rights; roles of ours are taken from us in the same moment.
import type { ApiserverContext } from '#coordination/capability.ts'
import type { KubeObject, OwnerReference } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import { gatewayRoles } from '../names.ts'

/** Where it was put there anew, the slices are deleted, and whoever sees that forgets it earlier. */
const knownMs = 60_000

export class SliceOwner {
  readonly #context: Pick<ApiserverContext, 'api' | 'clock'>
  #known: { readonly owner: OwnerReference | undefined; readonly readMs: number } | undefined

  constructor(context: Pick<ApiserverContext, 'api' | 'clock'>) {
    this.#context = context
  }

  /** Undefined: there is none, or none that we may read. */
  async now(signal: AbortSignal): Promise<OwnerReference | undefined> {
    const nowMs = this.#context.clock.elapsed()
    if (this.#known === undefined || nowMs - this.#known.readMs > knownMs)
      this.#known = { owner: await this.#read(signal), readMs: nowMs }
    return this.#known.owner
  }

  forget(): void {
    this.#known = undefined
  }

  async #read(signal: AbortSignal): Promise<OwnerReference | undefined> {
    const roles = this.#context.api.resource<KubeObject>(builtIn.clusterroles)
    for (const name of gatewayRoles)
      try {
        const { uid = '' } = (await roles.get(name, { signal })).metadata
        return { apiVersion: `${builtIn.clusterroles.group}/${builtIn.clusterroles.version}`, kind: 'ClusterRole', name, uid }
      } catch (error) {
        if (!isNotFound(error) && !isForbidden(error)) throw error
      }
    return undefined
  }
}
