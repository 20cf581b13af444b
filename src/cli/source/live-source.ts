// A live cluster, read once: every kind that a decision looks at, listed page by page. Nothing is written.

import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { rebalancePolicies } from '#coordination/api.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import type { ClusterConfig } from '#kube/credentials/cluster-config.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound, StatusError } from '#kube/objects/status.ts'
import { systemRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'
import { awaitFirstAnswer } from './first-answer.ts'

interface LiveOptions {
  readonly kubeconfig: string | undefined
  readonly context: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  /** Kinds beside those that every decision looks at. */
  readonly also?: readonly GroupVersionResource[]
}

interface LiveCluster {
  readonly objects: readonly KubeObject[]
  readonly gitVersion: string
  readonly shown: string
}

const usageGroup = 'metrics.k8s.io'

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
  builtIn.deviceclasses,
  builtIn.resourceslices,
  builtIn.resourceclaims,
  builtIn.resourceclaimtemplates,
  rebalancePolicies,
  { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledobjects' },
  { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledjobs' },
  { group: 'http.keda.sh', version: 'v1alpha1', resource: 'httpscaledobjects' },
  { group: usageGroup, version: 'v1beta1', resource: 'nodes' },
  { group: usageGroup, version: 'v1beta1', resource: 'pods' },
]

/** The kubeconfig that is meant: the one that is named, else that of KUBECONFIG, else kubectl's own, if there is one. */
export function kubeconfigOf(named: string | undefined, environment: LiveOptions['environment']): string | undefined {
  const given = named ?? environment['KUBECONFIG']
  if (given !== undefined && given !== '') return given
  const own = join(environment['HOME'] ?? homedir(), '.kube', 'config')
  return existsSync(own) ? own : undefined
}

/** Whether a pod's service account is there for commands that no kubeconfig is named to. */
export function isInPod(environment: LiveOptions['environment']): boolean {
  return (environment['KUBERNETES_SERVICE_HOST'] ?? '') !== ''
}

/**
 * The API of the cluster that the kubeconfig names, which has answered once; whoever opens it closes it. @throws InputError for a bad
 * kubeconfig; CommandRefused with address and cause where nobody answers within 10 s
 */
export async function openLiveApi(
  options: LiveOptions,
): Promise<{ readonly api: Api; readonly server: string; readonly config: ClusterConfig }> {
  const config = await loadConfig({
    environment: options.environment,
    homeDirectory: homedir(),
    kubeconfig: options.kubeconfig,
    context: options.context,
  })
  const transport = openHttpTransport(config, { clock: systemClock, random: systemRandom, environment: options.environment })
  try {
    const say = (line: string) => void process.stderr.write(`${line}\n`)
    await awaitFirstAnswer(transport, { server: config.server, clock: systemClock, signal: options.signal, say })
  } catch (error) {
    await transport.close()
    throw error
  }
  return {
    api: openApi(transport, { clock: systemClock, userAgent: `ballast/${programVersion}` }),
    server: config.server,
    config,
  }
}

/** Lists what a decision needs. @throws CommandRefused when nodes or pods cannot be read; InputError for a bad kubeconfig */
export async function readLive(options: LiveOptions): Promise<LiveCluster> {
  const { api, server } = await openLiveApi(options)
  try {
    const version = await api.getPath('/version', { signal: options.signal })
    const objects: KubeObject[] = []
    for (const resource of [...required, ...others, ...(options.also ?? [])]) {
      try {
        for await (const page of api.resource(resource).pages({ signal: options.signal })) {
          // Items of a list carry neither apiVersion nor kind.
          for (const item of page.items)
            objects.push({ ...item, apiVersion: page.apiVersion, kind: page.kind.replace(/List$/, '') })
        }
      } catch (error) {
        const isAbsent = isNotFound(error) || isForbidden(error)
        if (isAbsent && !required.includes(resource)) continue
        if (resource.group !== usageGroup || !(error instanceof StatusError) || error.code < 500) throw error
        // Another server answers for it, behind the API server: while that is away, what is used is not known, and the rest is.
        process.stderr.write(`${resource.resource}.${usageGroup} cannot be read: ${error.message}\n`)
      }
    }
    const gitVersion =
      typeof version === 'object' && version !== null && 'gitVersion' in version ? String(version.gitVersion) : 'v1.34.0'
    return { objects, gitVersion, shown: server }
  } catch (error) {
    if (options.signal.aborted) throw error
    throw new CommandRefused(
      `read cluster ${server}: ${error instanceof Error ? error.message : String(error)}`,
      exitCodes.failed,
    )
  } finally {
    await api.close()
  }
}
