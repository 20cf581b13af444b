// A controller and workers that publish only what rules look at, on one twin: each with the rights of the manifests, on machines that are made up.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { features } from '#capabilities/features'
import { type Api, openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import { type Log, silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { HostTree } from '#machines/host-tree.ts'
import { ofAnswers } from '../src/capabilities/features/discovery/cpu/read-cpuid.ts'
import { startWorker } from '../src/capabilities/features/publishing/worker.ts'
import type { ControlledCluster, ControlledOptions } from './controlled-cluster.ts'
import { nodeIn, ruleObject } from './features-cluster.ts'
import { writeTree } from './real/features/tree-files.ts'
import { node } from './small-cluster.ts'

export const agents = 'ballast-agent'
export const list = { name: 'ballast-features', namespace: agents }
const { signal } = new AbortController()

const configuration = features.config.parse({
  worker: { core: { publish: 'referenced', sleepInterval: '0s' } },
  master: { resyncPeriod: '1m' },
})

/** A rule that looks at one module of the kernel. */
export const moduleRule = (name: string, module: string, labels: object = { [`modules.example.com/${module}`]: 'true' }) =>
  ruleObject(name, {
    name: module,
    labels,
    matchFeatures: [{ feature: 'kernel.loadedmodule', matchExpressions: { [module]: { op: 'Exists' } } }],
  })

const modules = ['kvm', 'nvme', 'zfs', ...Array.from({ length: 500 }, (_, at) => `module_${at}`)]

export function referencedCluster(objects: readonly KubeObject[]): Omit<ControlledOptions, 'kill'> {
  return { objects: [node('n1'), node('n2'), ...objects], capabilities: [features], configurations: { features: configuration } }
}

interface WorkerOptions {
  readonly log?: Log
  readonly between?: (inner: Transport) => Transport
}

export interface Workers extends AsyncDisposable {
  start(name: string, options?: WorkerOptions): Promise<AsyncDisposable>
  /** The object of a node, as its worker published it. */
  published(name: string): KubeObject | undefined
  /** Modules of the kernel that are in it. */
  modulesOf(name: string): readonly string[]
}

/** Workers with the token of the agents. */
export async function workersOn(of: ControlledCluster): Promise<Workers> {
  const root = mkdtempSync(join(tmpdir(), 'ballast-referenced-'))
  writeTree(root, { files: { 'proc/modules': modules.map(name => `${name} 1 0 - Live 0x0\n`).join('') } })
  const running = new AsyncDisposableStack()
  running.defer(() => rmSync(root, { recursive: true, force: true }))
  const published = (name: string) =>
    of.list<KubeObject>('nodefeatures.nfd.k8s-sigs.io').find(({ metadata }) => metadata.name === name)
  return {
    published,
    modulesOf: name => {
      const spec = published(name)?.['spec'] as { features?: { flags?: Record<string, { elements?: object }> } } | undefined
      return Object.keys(spec?.features?.flags?.['kernel.loadedmodule']?.elements ?? {})
    },
    start: async (name, { log = silentLog, between = (inner: Transport) => inner } = {}) => {
      const token = await of.twin.issueToken({ namespace: agents, serviceAccount: 'ballast-agent' })
      const transport = between(of.twin.transport({ token }))
      const api: Api = openApi(transport, { clock: of.clock, userAgent: 'worker' })
      const identity = { name: `agent-${name}`, namespace: agents, instance: `agent-${name}_1` }
      const ports = { take: () => undefined, offer: () => undefined }
      const context = { clock: of.clock, random: seededRandom(1), log, identity, ports, node: name, api }
      const tree = new HostTree({ hostPrefix: `${root}/`, ownRoot: root })
      const worker = await startWorker(context, configuration, signal, {
        tree,
        architecture: 'x64',
        cpuid: () => ofAnswers('nobody', new Map()),
      })
      running.use(worker)
      return worker
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

export const labelsOf = (of: ControlledCluster, name: string) =>
  Object.keys(nodeIn(of, name).metadata.labels ?? {}).filter(key => key.startsWith('modules.example.com/'))

export const createRule = (of: ControlledCluster, rule: KubeObject) =>
  of.admin
    .resource<KubeObject>({ group: 'nfd.k8s-sigs.io', version: 'v1alpha1', resource: 'nodefeaturerules' })
    .create(rule, { signal })

export const deleteList = (of: ControlledCluster) =>
  of.admin.resource(builtIn.configmaps).delete(list.name, { namespace: list.namespace, signal })
