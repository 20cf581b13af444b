// What people should hear of mounts on a node: by Events on the Node, and by metrics.

import type { NodeContext } from '#coordination/capability.ts'
import type { Permission } from '#coordination/needs.ts'
import type { NodeNotices } from './driver/node-service.ts'
import type { NfsMetrics } from './metrics.ts'
import { staleReason } from './names.ts'
import type { NodeEvents } from './node-events.ts'

export const noticePermissions: readonly Permission[] = [
  {
    groups: ['events.k8s.io'],
    resources: ['events'],
    verbs: ['create', 'patch'],
    // Where Events of what is in no namespace lie.
    scope: { namespaces: ['default'] },
    because: 'tells on its node of servers that do not answer, and of mounts that are not as they were asked for',
  },
]

export class ToldNotices implements NodeNotices {
  readonly #node: string
  readonly #events: NodeEvents | undefined
  readonly #metrics: NfsMetrics | undefined
  /** Servers of which it was told that they have fewer connections. */
  readonly #fewer = new Set<string>()

  constructor({ node }: Pick<NodeContext, 'node'>, events: NodeEvents | undefined, metrics: NfsMetrics | undefined) {
    this.#node = node
    this.#events = events
    this.#metrics = metrics
  }

  connections(server: string, asked: number, used: number): void {
    this.#metrics?.connections(server, asked, used)
    if (used >= asked) {
      this.#fewer.delete(server)
      return
    }
    if (this.#fewer.has(server)) return
    this.#fewer.add(server)
    this.#tell(
      'NfsConnectionsBelowAsked',
      server,
      `${used} connections to ${server} are in use, though nconnect=${asked} is asked for: the first mount of a server on a node decides for all`,
    )
  }

  unmountedByForce(volumeId: string, target: string, step: 'forced' | 'detached'): void {
    this.#metrics?.unmountsByForce.inc({ step })
    const how = step === 'forced' ? 'by force' : 'by being detached: who had it open still has it'
    this.#tell('NfsUnmountedByForce', volumeId, `volume ${volumeId} went from ${target} only ${how}`)
  }

  /** A mount leads nowhere any more: its server was made anew, or its folder is gone. */
  stale(target: string, source: string): void {
    this.#tell(staleReason, target, `${source} at ${target} leads nowhere any more`)
  }

  server(server: string, isReachable: boolean): void {
    if (isReachable) this.#tell('NfsServerReachable', server, `NFS server ${server} answers again`, 'Normal')
    else this.#tell('NfsServerUnreachable', server, `NFS server ${server} does not answer: volumes of it are not mounted`)
  }

  #tell(reason: string, distinction: string, note: string, type: 'Normal' | 'Warning' = 'Warning'): void {
    this.#events?.emit({
      type,
      reason,
      action: 'Mount',
      // As kubelets name their own node, whose UID they need not know.
      regarding: { apiVersion: 'v1', kind: 'Node', name: this.#node, uid: this.#node },
      note,
      distinction,
    })
  }
}
