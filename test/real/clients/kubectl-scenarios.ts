// kubectl at work, line by line of `../kubectl/scenarios.ts`: each line finds the same cluster.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KubeObject } from '#kube/objects/objects.ts'
import { traceCluster } from '#test/kubectl-trace.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { scenarios } from '../kubectl/scenarios.ts'
import { type CommandResult, runCommand } from '../run-command.ts'
import type { ClientScenario } from './scenarios.ts'
import type { ClientSite } from './site.ts'

/** Those that ask a kubelet or a metrics server, which the recorded cluster does not have. */
const left = new Set(['logs-exec', 'top'])
const played = scenarios.filter(({ name }) => !left.has(name))

/** Where the kinds of the cluster are, and whether their status is written apart; what lines leave behind is cleared in this order. */
const collections = {
  Deployment: { path: '/apis/apps/v1/namespaces/default/deployments', hasStatus: true },
  ReplicaSet: { path: '/apis/apps/v1/namespaces/default/replicasets', hasStatus: true },
  DaemonSet: { path: '/apis/apps/v1/namespaces/default/daemonsets', hasStatus: true },
  Job: { path: '/apis/batch/v1/namespaces/default/jobs', hasStatus: true },
  CronJob: { path: '/apis/batch/v1/namespaces/default/cronjobs', hasStatus: true },
  Pod: { path: '/api/v1/namespaces/default/pods', hasStatus: true },
  PodDisruptionBudget: { path: '/apis/policy/v1/namespaces/default/poddisruptionbudgets', hasStatus: true },
  HorizontalPodAutoscaler: { path: '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers', hasStatus: true },
  Event: { path: '/api/v1/namespaces/default/events', hasStatus: false },
  ConfigMap: { path: '/api/v1/namespaces/default/configmaps', hasStatus: false },
  Secret: { path: '/api/v1/namespaces/default/secrets', hasStatus: false },
  Role: { path: '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles', hasStatus: false },
  RoleBinding: { path: '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings', hasStatus: false },
  ResourceQuota: { path: '/api/v1/namespaces/default/resourcequotas', hasStatus: false },
  Ingress: { path: '/apis/networking.k8s.io/v1/namespaces/default/ingresses', hasStatus: false },
  ServiceAccount: { path: '/api/v1/namespaces/default/serviceaccounts', hasStatus: false },
  Widget: { path: '/apis/example.com/v1/namespaces/default/widgets', hasStatus: false },
  Service: { path: '/api/v1/namespaces/default/services', hasStatus: false },
  Node: { path: '/api/v1/nodes', hasStatus: true },
} as const

function collectionOf(kind: string) {
  return Object.entries(collections).find(([name]) => name === kind)?.[1]
}

const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}

async function makeCluster(site: ClientSite): Promise<void> {
  const uids = new Map<string, unknown>()
  const objects = traceCluster().filter(({ kind }) => collectionOf(kind) !== undefined)
  // Pods want their account first.
  const order = (object: KubeObject) => (object.kind === 'ServiceAccount' || object.kind === 'Node' ? 0 : 1)
  for (const object of objects.toSorted((left, right) => order(left) - order(right))) {
    const collection = collectionOf(object.kind)
    if (collection === undefined) continue
    const { status, ...rest }: Readonly<Record<string, unknown>> = { ...object }
    const { uid, creationTimestamp: _made, ...metadata } = object.metadata
    const text = JSON.stringify({ ...rest, metadata, ...(object.kind === 'Service' ? { spec: ownAddress(rest['spec']) } : {}) })
    const known = [...uids].reduce((body, [before, after]) => body.replaceAll(before, String(after)), text)
    const made = await site.ask('POST', collection.path, JSON.parse(known))
    if (uid !== undefined) uids.set(uid, made.metadata['uid'])
    const path = `${collection.path}/${object.metadata.name}`
    if (collection.hasStatus && status !== undefined) await site.ask('PATCH', `${path}/status`, { status })
  }
}

/** The address of a Service is the server's own choice. */
function ownAddress(spec: unknown): unknown {
  const { clusterIP: _one, clusterIPs: _all, ...kept }: Readonly<Record<string, unknown>> = { ...Object(spec) }
  return kept
}

/** Takes away what a line left, what waits for controllers too. */
async function clearCluster(site: ClientSite): Promise<void> {
  for (const { path } of Object.values(collections)) {
    const { items } = (await site.ask('GET', path)) as unknown as { readonly items: readonly ApiObject[] }
    for (const { metadata } of items.filter(({ metadata }) => metadata.name !== 'kubernetes')) {
      const one = `${path}/${metadata.name}`
      const options = { gracePeriodSeconds: 0, propagationPolicy: 'Background' }
      const isMarked = metadata['deletionTimestamp'] !== undefined
      if (Array.isArray(metadata['finalizers']) && metadata['finalizers'].length > 0)
        await site.ask('PATCH', one, { metadata: { finalizers: null } })
      if (!isMarked || path.endsWith('/pods')) await site.ask('DELETE', one, options)
    }
  }
}

function kubectl(which: '1.32' | 'newest', version: string): ClientScenario {
  return {
    name: `kubectl-${version}`,
    version: `kubectl ${version}`,
    command: ['kubectl', 'test/real/kubectl/scenarios.ts'],
    async run(site) {
      const program = await kubectlPath(which)
      await site.ask('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition)
      await site.until('widgets to be served', async () => {
        const { groups } = (await site.ask('GET', '/apis')) as unknown as {
          readonly groups: readonly { readonly name: string }[]
        }
        return groups.some(({ name }) => name === 'example.com')
      })
      const exitCodes: number[] = []
      const saw: string[] = []
      for (const { name, commands, manifest, stopAfterMs } of played) {
        await makeCluster(site)
        const file = join(site.directory, 'manifest.yaml')
        writeFileSync(file, manifest ?? '')
        const codes: number[] = []
        for (const command of commands) {
          const { code } = await run(
            site,
            program,
            command.map(word => (word === 'FILE' ? file : word)),
            stopAfterMs,
          )
          codes.push(code)
        }
        exitCodes.push(...codes)
        saw.push(`${name}: ${codes.join(' ')}`)
        rmSync(file)
        await clearCluster(site)
      }
      return { exitCodes, saw }
    },
  }
}

function run(site: ClientSite, program: string, args: readonly string[], stopAfterMs = 60_000): Promise<CommandResult> {
  const env = { KUBECONFIG: site.kubeconfig, HOME: site.directory, KUBECTL_EXTERNAL_DIFF: 'true' }
  return runCommand(program, [`--cache-dir=${join(site.directory, 'cache')}`, ...args], { env, timeoutMs: stopAfterMs })
}

export const kubectlScenarios: readonly ClientScenario[] = [kubectl('1.32', '1.32'), kubectl('newest', '1.36')]
