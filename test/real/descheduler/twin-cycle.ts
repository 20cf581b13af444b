// One cycle of a descheduler against a twin that nobody else moves: which pods it evicts.
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { startTwin } from '#twin/twin.ts'
import { type Program, runOneCycle } from './programs.ts'

const user = 'descheduler'

/** The pods (`namespace/name`) that a program evicts from `objects` in its only cycle, in order. Throws Error where it fails. */
export async function twinCycle(
  program: Program,
  { objects, policy }: { readonly objects: readonly KubeObject[]; readonly policy: string },
): Promise<readonly string[]> {
  // No kubelet: an evicted pod is terminating for the rest of the cycle, as it is in a real cluster.
  await using twin = await startTwin({ clock: systemClock, objects, components: false, listen: { port: 0 } })
  const kubeconfig = await twin.kubeconfig({ name: user, groups: ['system:masters'] })
  const said = await runOneCycle(program, { kubeconfig, policy })
  const evictions = twin.requests.entries.flatMap(({ user: by, path, code }) => {
    const [, namespace, name] = /\/namespaces\/([^/]+)\/pods\/([^/?]+)\/eviction(?:\?.*)?$/.exec(path) ?? []
    return by === user && namespace !== undefined ? [{ pod: `${namespace}/${name}`, code }] : []
  })
  const refused = evictions.find(({ code }) => code >= 300)
  if (refused !== undefined) throw new Error(`eviction of ${refused.pod}: found ${refused.code}, expected 201; ${said}`)
  return [...new Set(evictions.map(({ pod }) => pod))]
}
