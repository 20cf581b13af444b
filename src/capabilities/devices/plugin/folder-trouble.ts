// Tells on the node, once an hour, that the kubelet's folder of plugins cannot be used: without it no pod gets a device, and only a log would say so.

import { accessSync, constants } from 'node:fs'
import type { NodeContext } from '#coordination/capability.ts'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'

const everyMs = 3_600_000

/** Why sockets cannot be made in the folder; `undefined` where they can. */
export function folderTrouble(path: string): string | undefined {
  try {
    accessSync(path, constants.W_OK | constants.X_OK)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** Only who has this trouble needs it. Reading files takes the host's time, not the cluster's. */
async function recorder(clock: Clock): Promise<typeof import('#kube/events/events.ts')> {
  using _held = clock.hold()
  return await import('#kube/events/events.ts')
}

export class FolderTeller {
  readonly #context: NodeContext
  #toldMs = Number.NEGATIVE_INFINITY

  constructor(context: NodeContext) {
    this.#context = context
  }

  /** Tells it where it was not told for an hour; by an Event where there is an API server. It waits until the Event is sent or given up, 2 s at most. */
  async tell(path: string, why: string): Promise<void> {
    const { api, clock, log, random, identity, node } = this.#context
    if (clock.elapsed() - this.#toldMs < everyMs) return
    this.#toldMs = clock.elapsed()
    log.warn({ path, why }, 'the folder of device plugins cannot be used: no pod gets a device')
    if (api === undefined) return
    const { EventRecorder } = await recorder(clock)
    await using events = new EventRecorder(api, {
      ...{ clock, random, log },
      controller: 'ballast.dev/devices',
      instance: identity.instance,
    })
    events.emit({
      type: 'Warning',
      reason: 'PluginFolderUnusable',
      action: 'Register',
      // As kubelets name their own node, whose UID they need not know.
      regarding: { apiVersion: 'v1', kind: 'Node', name: node, uid: node },
      note: `device plugins cannot make sockets in ${path}: ${why}`,
      distinction: why,
    })
  }
}
