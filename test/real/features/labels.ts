// Nodes labelled by the real nfd-master and by ours, on one real control plane: the same labels, annotations, resources and taints from nothing,
// and neither writes a byte when it takes over from the other. Then a worker of ours publishes this machine under the rights of the manifests.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ControllerProcess, tokenKubeconfig } from '../../controller-process.ts'
import { eventually, untilEstablished } from '../ballast/example-cluster.ts'
import { commandLine } from '../ballast/site.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { atEnd } from '../endings.ts'
import { commandOutput } from '../run-command.ts'
import { upstreamPath, upstreamVersion } from '../upstreams/build.ts'
import { trees } from './trees.ts'
import { vendorRules } from './vendor-rules.ts'
import { workerAnswer } from './worker-answer.ts'

const namespace = 'nfd'
const agents = 'ballast-agent'
const group = '/apis/nfd.k8s-sigs.io/v1alpha1'

interface NodeObject extends ApiObject {
  readonly spec?: { readonly taints?: readonly object[] }
  readonly status?: { readonly capacity?: Readonly<Record<string, string>> }
}

type Client = ControlPlane['client']

interface Account {
  readonly namespace: string
  readonly name: string
  /** The pod that its token is of. */
  readonly bound?: object
}

const configuration = (master: object) =>
  JSON.stringify({
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'BallastConfiguration',
    capabilities: { deschedule: { enabled: false }, isolate: { enabled: false }, features: { enabled: true, master } },
  })

/** @throws Error with what differs */
export async function comparedLabels(): Promise<string> {
  const master = await upstreamPath('nfd-master')
  await using stack = new AsyncDisposableStack()
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: false, audit: true })
  stack.defer(() => plane.stop())
  const { client } = plane
  const folder = mkdtempSync(join(tmpdir(), 'ballast-labels-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'config.yaml')
  await installFeatures(plane, file, { enableTaints: true })
  await client.want('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
  for (const tree of trees) {
    const { metadata, spec } = await workerAnswer(tree)
    await client.want('POST', '/api/v1/nodes', nodeObject(tree.name))
    const labels = { ...metadata.labels, 'nfd.node.kubernetes.io/node-name': tree.name }
    await client.want('POST', `${group}/namespaces/${namespace}/nodefeatures`, {
      ...kindOf('NodeFeature'),
      metadata: { name: tree.name, labels },
      spec,
    })
  }
  for (const rule of vendorRules) await client.want('POST', `${group}/nodefeaturerules`, rule)

  const theirs = await startMaster(master, plane.kubeconfig)
  await settled(client, () => theirs.log())
  const byThem = await snapshot(client)
  await theirs.end()

  const own = await startOwn(plane, file, stack)
  await pause(quietMs)
  deepStrictEqual(writesToNodes(plane, 'ballast'), [], 'ours wrote to nodes that theirs had labelled')
  deepStrictEqual(await snapshot(client), byThem)
  own.kill('SIGTERM')
  await own.ended

  for (const { name } of trees) {
    await client.want('DELETE', `/api/v1/nodes/${name}`)
    await client.want('POST', '/api/v1/nodes', nodeObject(name))
  }
  const again = await startOwn(plane, file, stack)
  await settled(client, () => again.log)
  deepStrictEqual(await snapshot(client), byThem, 'from nothing ours labels otherwise')

  // A rule goes, and another master goes on.
  await client.want('DELETE', `${group}/nodefeaturerules/b-cards`)
  await eventually(
    () => `the rule is gone, and what it gave stays: ${again.log}`,
    async () => (JSON.stringify(await snapshot(client)).includes('vendor.example.com/cards') ? undefined : true),
  )
  await settled(client, () => again.log)
  const without = await snapshot(client)
  again.kill('SIGTERM')
  deepStrictEqual(await again.ended, { code: 0, signal: null })
  const before = writesToNodes(plane, 'nfd-master').length
  const after = await startMaster(master, plane.kubeconfig)
  await pause(quietMs)
  deepStrictEqual(await snapshot(client), without)
  strictEqual(writesToNodes(plane, 'nfd-master').length, before, 'theirs wrote to nodes that ours had labelled')
  await after.end()
  const worker = await ownWorker(plane, file, stack)
  const refused = plane.answered().filter(({ user, code }) => code === 403 && user.startsWith('system:serviceaccount:ballast-'))
  deepStrictEqual(
    refused.map(({ verb, path }) => `${verb} ${path}`),
    [],
  )
  const count = Object.values(byThem).reduce((sum, { labels }) => sum + Object.keys(labels).length, 0)
  return `server ${plane.serverVersion}: ${trees.length} nodes, ${vendorRules.length} NodeFeatureRules, ${count} labels as by ${upstreamVersion('nfd-master')}; neither writes when it takes over; ${worker}`
}

/** Long enough for a look at all nodes. */
const quietMs = 8_000

function kindOf(kind: string) {
  return { apiVersion: 'nfd.k8s-sigs.io/v1alpha1', kind }
}

function nodeObject(name: string) {
  const amounts = { cpu: '4', memory: '8Gi', pods: '110' }
  // Without any label and annotation nfd-master's patches are refused for ever.
  const metadata = { name, labels: { 'kubernetes.io/hostname': name }, annotations: { 'example.com/a': 'b' } }
  return { apiVersion: 'v1', kind: 'Node', metadata, status: { allocatable: amounts, capacity: amounts } }
}

/** What a master writes to nodes. */
async function snapshot(client: Client) {
  const { items } = (await client.want('GET', '/api/v1/nodes')) as ApiObject & { readonly items: readonly NodeObject[] }
  const rows = items.map(({ metadata, spec, status }) => {
    const { labels = {}, annotations = {} } = metadata as {
      labels?: Record<string, string>
      annotations?: Record<string, string>
    }
    const { taints = [] } = spec ?? {}
    const own = Object.entries(status?.capacity ?? {}).filter(([key]) => key.includes('/'))
    return [metadata.name, { labels, annotations, taints, capacity: Object.fromEntries(own) }] as const
  })
  return Object.fromEntries(rows.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** All nodes are labelled, and nothing changes any more. */
async function settled(client: Client, log: () => string): Promise<void> {
  let last = ''
  let since = Date.now()
  await eventually(
    () => `nodes are not labelled: ${log().slice(-3_000)}`,
    async () => {
      const now = await snapshot(client)
      const text = JSON.stringify(now)
      if (text !== last) since = Date.now()
      last = text
      const isWhole = trees.every(({ name }) => now[name]?.labels['feature.node.kubernetes.io/everybody'] === 'true')
      return isWhole && Date.now() - since > quietMs ? true : undefined
    },
    120_000,
  )
}

function writesToNodes(plane: ControlPlane, agent: string): readonly string[] {
  return plane
    .answered()
    .filter(one => one.agent.startsWith(agent) && /\/api\/v1\/nodes\//.test(one.path) && ['patch', 'update'].includes(one.verb))
    .map(({ verb, path }) => `${verb} ${path}`)
}

async function startMaster(program: string, kubeconfig: string) {
  const args = [`-kubeconfig=${kubeconfig}`, '-enable-taints', `-port=${await freePort()}`, '-config=/nonexistent']
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: masterEnvironment })
  const isOver = atEnd(() => child.kill('SIGKILL'))
  child.on('close', isOver)
  const ended = new Promise<void>(resolve => void child.once('exit', () => resolve()))
  let log = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  return {
    log: () => log,
    async end() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** It looks at its own node first, which has to be there. */
const masterEnvironment = { NODE_NAME: trees[0]?.name ?? '', KUBERNETES_NAMESPACE: namespace }

async function startOwn(plane: ControlPlane, file: string, stack: AsyncDisposableStack): Promise<ControllerProcess> {
  const kubeconfig = await kubeconfigOf(plane, stack, { namespace: 'ballast-system', name: 'ballast-controller' })
  const controller = new ControllerProcess(kubeconfig, 'prefer', ['--config', file])
  stack.defer(() => controller.kill('SIGKILL'))
  await eventually(
    () => `it does not lead: ${controller.log}`,
    async () => {
      ok(controller.isRunning, controller.log)
      const { status, body } = await plane.client.send('GET', '/api/v1/namespaces/ballast-system/configmaps/ballast-status')
      return status === 200 && JSON.stringify(body).includes('running') ? true : undefined
    },
    60_000,
  )
  return controller
}

/** Ours on this machine, as a pod of the DaemonSet would run it; the labels come by our controller. */
async function ownWorker(plane: ControlPlane, file: string, stack: AsyncDisposableStack): Promise<string> {
  const { client } = plane
  await client.want('POST', '/api/v1/nodes', nodeObject('here'))
  // Nobody runs it: its token is bound to it, and so to the node.
  const { metadata } = await client.want('POST', `/api/v1/namespaces/${agents}/pods`, {
    metadata: { name: 'agent-here' },
    spec: { nodeName: 'here', serviceAccountName: 'ballast-agent', containers: [{ name: 'features', image: 'ballast' }] },
  })
  const bound = { apiVersion: 'v1', kind: 'Pod', name: metadata.name, uid: metadata['uid'] }
  const kubeconfig = await kubeconfigOf(plane, stack, { namespace: agents, name: 'ballast-agent', bound })
  const args = [commandLine, 'agent', '--role=features', '--config', file, '--kubeconfig', kubeconfig, '--node-name', 'here']
  const env = { PATH: process.env['PATH'], BALLAST_POD_NAMESPACE: agents }
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'], env })
  stack.defer(() => void child.kill('SIGKILL'))
  const isOver = atEnd(() => child.kill('SIGKILL'))
  child.on('close', isOver)
  let log = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const controller = await startOwn(plane, file, stack)
  await eventually(
    () => `this machine is not labelled: ${log} ${controller.log}`,
    async () => {
      const { here } = await snapshot(client)
      return Object.keys(here?.labels ?? {}).some(key => key.startsWith('feature.node.kubernetes.io/cpu-model.'))
        ? true
        : undefined
    },
    60_000,
  )
  const { here } = await snapshot(client)
  return `a worker with the rights of the manifests gave this machine ${Object.keys(here?.labels ?? {}).length} labels`
}

async function kubeconfigOf(plane: ControlPlane, stack: AsyncDisposableStack, account: Account): Promise<string> {
  const { bound } = account
  const spec = { expirationSeconds: 3_600, ...(bound === undefined ? {} : { boundObjectRef: bound }) }
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec }
  const path = `/api/v1/namespaces/${account.namespace}/serviceaccounts/${account.name}/token`
  const { status } = (await plane.client.want('POST', path, body)) as { readonly status?: { readonly token?: string } }
  ok(status?.token !== undefined)
  return stack.use(tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), status.token)).file
}

/** Everything that `ballast manifests` prints, but for the controller's Deployment: it runs here, by the configuration in `file`. */
export async function installFeatures(plane: ControlPlane, file: string, master: object) {
  writeFileSync(file, configuration(master))
  const kubectl = await kubectlPath('newest')
  const printed = await commandOutput(process.execPath, [commandLine, 'manifests', '--config', file, '--format', 'json'])
  const { items }: { readonly items: readonly ApiObject[] } = JSON.parse(printed)
  await commandOutput(kubectl, [`--kubeconfig=${plane.kubeconfig}`, 'apply', '--server-side', '-f', '-'], {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: items.filter(({ kind }) => kind !== 'Deployment') }),
    timeoutMs: 120_000,
  })
  await untilEstablished(plane.client, 'nodefeatures.nfd.k8s-sigs.io')
  return { kubeconfigOf: (stack: AsyncDisposableStack, account: Account) => kubeconfigOf(plane, stack, account) }
}
