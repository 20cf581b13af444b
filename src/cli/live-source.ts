// A live cluster, read once: every kind that a decision looks at, listed page by page. Nothing is written.
import { homedir } from 'node:os'
import { rebalancePolicies } from '#coordination/api.ts'
import { openApi } from '#kube/api.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/config.ts'
import { openHttpTransport } from '#kube/http-transport.ts'
import type { KubeObject } from '#kube/objects.ts'
import { systemRandom } from '#kube/random.ts'
import type { GroupVersionResource } from '#kube/resource.ts'
import { builtIn } from '#kube/resource.ts'
import { isForbidden, isNotFound } from '#kube/status.ts'
import { CommandRefused, exitCodes } from './command-line.ts'

interface LiveOptions {
  readonly kubeconfig: string | undefined
  readonly context: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
}

interface LiveCluster {
  readonly objects: readonly KubeObject[]
  readonly gitVersion: string
  readonly shown: string
}

/** Without these nothing can be said; of the others a decision does without. */
const required: readonly GroupVersionResource[] = [builtIn.nodes, builtIn.pods]
const others: readonly GroupVersionResource[] = [
  builtIn.namespaces,
  builtIn.deployments,
  builtIn.replicasets,
  builtIn.statefulsets,
  builtIn.daemonsets,
  builtIn.jobs,
  builtIn.poddisruptionbudgets,
  builtIn.services,
  builtIn.replicationcontrollers,
  builtIn.persistentvolumes,
  builtIn.persistentvolumeclaims,
  builtIn.storageclasses,
  builtIn.csinodes,
  builtIn.priorityclasses,
  rebalancePolicies,
  { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledobjects' },
  { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledjobs' },
  { group: 'http.keda.sh', version: 'v1alpha1', resource: 'httpscaledobjects' },
  { group: 'metrics.k8s.io', version: 'v1beta1', resource: 'nodes' },
  { group: 'metrics.k8s.io', version: 'v1beta1', resource: 'pods' },
]

/** Lists what a decision needs. @throws CommandRefused when nodes or pods cannot be read; InputError for a bad kubeconfig */
export async function readLive(options: LiveOptions): Promise<LiveCluster> {
  const config = await loadConfig({
    environment: options.environment,
    homeDirectory: homedir(),
    kubeconfig: options.kubeconfig,
    context: options.context,
  })
  const api = openApi(openHttpTransport(config, { clock: systemClock, random: systemRandom, environment: options.environment }), {
    clock: systemClock,
    userAgent: 'ballast/0.1.0 plan',
  })
  try {
    const version = await api.getPath('/version', { signal: options.signal })
    const objects: KubeObject[] = []
    for (const resource of [...required, ...others]) {
      try {
        for await (const page of api.resource(resource).pages({ signal: options.signal })) {
          // Items of a list carry neither apiVersion nor kind.
          for (const item of page.items)
            objects.push({ ...item, apiVersion: page.apiVersion, kind: page.kind.replace(/List$/, '') })
        }
      } catch (error) {
        const isAbsent = isNotFound(error) || isForbidden(error)
        if (!isAbsent || required.includes(resource)) throw error
      }
    }
    const gitVersion =
      typeof version === 'object' && version !== null && 'gitVersion' in version ? String(version.gitVersion) : 'v1.34.0'
    return { objects, gitVersion, shown: config.server }
  } catch (error) {
    if (options.signal.aborted) throw error
    throw new CommandRefused(
      `read cluster ${config.server}: ${error instanceof Error ? error.message : String(error)}`,
      exitCodes.failed,
    )
  } finally {
    await api.close()
  }
}
