// The main job at a size that a kubelet of ours does not play: kwok keeps the nodes, the real scheduler fills them, ten more nodes come
// empty, and `ballast controller` brings pods onto them, each held at the gate for its node.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { defaultBucket } from '#kube/client/request-bucket.ts'
import { retryingTransport } from '#kube/client/retrying-transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { silentLog } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import { ControllerProcess, tokenKubeconfig } from '../../controller-process.ts'
import { openChecker } from '../../independent-checker.ts'
import { eventually } from '../ballast/example-cluster.ts'
import { install } from '../ballast/kinds.ts'
import { follow, judgeTraces, landings, lastOf, listOf, token, told } from '../ballast/site.ts'
import { isReady, type PodObject } from '../ballast/tiny-kubelet.ts'
import type { Check } from '../check.ts'
import type { ApiClient, ApiObject } from '../control-plane/api-client.ts'
import { startControlPlane } from '../control-plane/start.ts'
import { type Kwok, startKwok } from './kwok.ts'

const size = { oldNodes: 40, newNodes: 10, workloads: 5, replicas: 200 } as const
const pods = size.workloads * size.replicas
/** So many millicores: 2 pods are more than 5 % of a node of 8 cores, and 25 are less than 80 %. */
const request = 250
/** 4 % and the margin of 1: each of the new nodes takes two. */
const goal = { resource: 'cpu', min: 4 }
const moves = 2 * size.newNodes
const policyPath = '/apis/ballast.dev/v1alpha1/rebalancepolicies/spread'
const namespace = 'crowd'
const steadyLimitMs = 240_000

export const kwokChecks: readonly Check[] = [
  {
    name: `ballast controller on the real control plane: kwok keeps ${size.oldNodes + size.newNodes} nodes with ${pods} pods`,
    run: spreadOntoNewNodes,
  },
]

async function spreadOntoNewNodes(): Promise<string> {
  const plane = await startControlPlane({ scheduler: '1.36', controllerManager: true, audit: true })
  await using resources = new AsyncDisposableStack()
  resources.defer(() => plane.stop())
  const { client } = plane
  await install(plane)
  const kwok = resources.use(await startKwok(plane.kubeconfig))
  const startedMs = systemClock.elapsed()
  await each(
    Array.from({ length: size.oldNodes }, (_, at) => nodeObject(`old-${at + 1}`)),
    node => client.want('POST', '/api/v1/nodes', node),
  )
  await client.want('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  await each(
    Array.from({ length: size.workloads }, (_, at) => `app-${at + 1}`),
    name => createWorkload(client, name),
  )
  await untilReady(client, kwok)
  const filledMs = systemClock.elapsed() - startedMs
  const fresh = Array.from({ length: size.newNodes }, (_, at) => `new-${at + 1}`)
  await each(fresh, name => client.want('POST', '/api/v1/nodes', nodeObject(name)))
  await client.want('POST', '/apis/ballast.dev/v1alpha1/rebalancepolicies', {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: 'spread' },
    spec: {
      trigger: 'manual',
      mode: 'Approve',
      objective: 'moves',
      goals: [{ name: 'new-nodes-used', nodes: fresh, ...goal }],
      limits: { concurrent: 4 },
    },
  })
  await eventually('the new nodes are ready', async () => {
    kwok.look()
    const nodes = await listOf<PodObject>(client, '/api/v1/nodes')
    return nodes.length === size.oldNodes + size.newNodes && nodes.every(isReady) ? true : undefined
  })
  const kubeconfig = resources.use(tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), await token(plane)))
  const config = await loadConfig({ environment: {}, homeDirectory: '/', kubeconfig: plane.kubeconfig })
  const around = { clock: systemClock, random: systemRandom, log: silentLog, bucket: defaultBucket }
  // The server closes connections that were idle while the plan ran.
  const transport = retryingTransport(openHttpTransport(config, around), around)
  resources.defer(() => transport.close())
  const checker = await openChecker(transport)
  const controller = new ControllerProcess(kubeconfig.file, 'hold')
  resources.defer(() => controller.kill('SIGKILL'))
  const askedMs = systemClock.elapsed()
  let proposedMs = 0
  const ended = await follow(
    { client },
    async plans => {
      kwok.look()
      ok(controller.isRunning, controller.log)
      if (plans.length > 0 && proposedMs === 0) proposedMs = systemClock.elapsed() - askedMs
      return controller.log
    },
    policyPath,
  )
  const doneMs = systemClock.elapsed() - askedMs
  controller.kill('SIGTERM')
  deepStrictEqual(await Promise.race([controller.ended, pause(120_000, undefined, { ref: false })]), { code: 0, signal: null })
  await untilReady(client, kwok)
  const judgement = await checker.judge()
  const { requests, evictions } = await judgeTraces({ plane, client }, judgement)
  strictEqual(lastOf(ended)?.status?.conditions?.find(({ type }) => type === 'GoalsMet')?.status, 'True', told(ended))
  strictEqual(landings(ended).length, moves, told(ended))
  strictEqual(evictions.length, moves)
  for (const name of fresh) {
    const { millicores = 0 } = judgement.nodes.get(name) ?? {}
    ok(millicores * 100 > goal.min * 8_000, `${name}: ${millicores} millicores of 8000`)
  }
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
  return [
    `${size.oldNodes + size.newNodes} nodes and ${pods} pods by kwok, filled in ${seconds(filledMs)}`,
    `proposed ${seconds(proposedMs)} after it was asked for, by a controller that had just started`,
    `${moves} moves landed in ${ended.length} plan(s), over after ${seconds(doneMs)}`,
    `${evictions.length} evictions`,
    `${requests.length} requests, no 403`,
    `${judgement.events} pod events, no budget broken`,
  ].join(', ')
}

function nodeObject(name: string): ApiObject {
  const amounts = { cpu: '8', memory: '32Gi', pods: '110', 'ephemeral-storage': '100Gi' }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' } },
    status: { capacity: amounts, allocatable: amounts },
  }
}

async function createWorkload(client: ApiClient, name: string): Promise<void> {
  const labels = { app: name }
  await client.want('POST', `/apis/apps/v1/namespaces/${namespace}/deployments`, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels: { 'scaling.talos.io/managed-by': 'descheduler' } },
    spec: {
      replicas: size.replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          containers: [
            {
              name: 'main',
              image: `registry.example/${name}:1`,
              resources: { requests: { cpu: `${request}m`, memory: '128Mi' } },
            },
          ],
        },
      },
    },
  })
  await client.want('POST', `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`, {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name },
    spec: { maxUnavailable: 1, selector: { matchLabels: labels } },
  })
}

async function untilReady(client: ApiClient, kwok: Kwok): Promise<void> {
  let ready = 0
  await eventually(
    () => `${pods} pods are ready; ${ready} are`,
    async () => {
      kwok.look()
      const list = await listOf<PodObject>(client, `/api/v1/namespaces/${namespace}/pods`)
      ready = list.filter(isReady).length
      return list.length === pods && ready === pods ? true : undefined
    },
    steadyLimitMs,
  )
}

/** Eight at a time. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items]
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: 8 }, worker))
}
