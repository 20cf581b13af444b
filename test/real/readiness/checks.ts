// Nodes held until ready on a real control plane: kinds, rights and DaemonSets as `ballast manifests` prints them, a controller and an agent
// with nothing but their ServiceAccounts' tokens, webhooks that the real API server calls. Nodes are objects: nobody runs their pods.
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { systemRandom } from '#kube/random.ts'
import { ControllerProcess, tokenKubeconfig } from '../../controller-process.ts'
import { eventually, untilEstablished } from '../ballast/example-cluster.ts'
import { commandLine } from '../ballast/site.ts'
import type { Check } from '../check.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { atEnd } from '../endings.ts'
import { commandOutput, runCommand } from '../run-command.ts'

export const readinessChecks: readonly Check[] = [
  {
    name: 'readiness on the real control plane: a node is held from its creation until its agent says that the mirror serves',
    run,
  },
]

const taint = 'ballast.dev/agent-not-ready'
const agents = 'ballast-agent'
const rulesPath = '/apis/readiness.node.x-k8s.io/v1alpha1/nodereadinessrules'

interface NodeObject extends ApiObject {
  readonly spec?: { readonly taints?: readonly { readonly key: string; readonly value?: string }[] }
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[]
  }
}

interface PodObject extends ApiObject {
  readonly spec: { readonly nodeName?: string }
}

function configurationText(mirror: string, over: { readonly agent?: object; readonly timeout?: string } = {}): string {
  const { agent = {}, ...section } = over
  return JSON.stringify({
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'BallastConfiguration',
    capabilities: {
      deschedule: { enabled: false },
      isolate: { enabled: false },
      readiness: {
        enabled: true,
        rules: [{ name: 'mirror', require: [{ condition: 'ballast.dev/MirrorReady=True' }] }],
        agent: { mirror, interval: '1s', heartbeat: '1s', ...agent },
        ...section,
      },
    },
  })
}

async function run(): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const plane = await startControlPlane({ scheduler: '1.36', controllerManager: true, audit: true })
  stack.defer(() => plane.stop())
  const { client } = plane
  let isServing = false
  const serve = (is: boolean) => (isServing = is)
  const mirror = createServer((_request, response) => response.writeHead(isServing ? 200 : 500).end('NoPeers: nobody'))
  await new Promise<void>(resolve => mirror.listen(0, '127.0.0.1', resolve))
  stack.defer(() => void mirror.close())
  const folder = mkdtempSync(join(tmpdir(), 'ballast-readiness-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const config = (name: string, text: string) => {
    const file = join(folder, name)
    writeFileSync(file, text)
    return file
  }
  const url = `http://NODE_IP:${(mirror.address() as AddressInfo).port}/readyz`
  const file = config('config.yaml', configurationText(url))
  const kubectl = await kubectlPath('newest')
  const flags = [`--kubeconfig=${plane.kubeconfig}`]
  await install(plane, kubectl, file)

  await client.want('POST', '/api/v1/nodes', nodeObject('old'))
  const controller = new ControllerProcess(
    await kubeconfigOf(plane, stack, { namespace: 'ballast-system', name: 'ballast-controller' }),
    'hold',
    ['--config', file],
  )
  stack.defer(() => controller.kill('SIGKILL'))
  const alive = <T>(value: T): T => {
    ok(controller.isRunning, controller.log)
    return value
  }
  await eventually(
    () => `no webhooks: ${controller.log}`,
    async () => {
      const { status } = await client.send(
        'GET',
        '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/ballast-readiness',
      )
      return alive(status === 200 ? true : undefined)
    },
  )
  await waitForRules(client)

  // Held by the answer to its very creation; the node that was there before the rule is not.
  const made = (await client.want('POST', '/api/v1/nodes', nodeObject('n1'))) as NodeObject
  deepStrictEqual(
    made.spec?.taints?.filter(({ key }) => key === taint).map(({ value }) => value),
    ['mirror'],
  )
  strictEqual(isHeld(await nodeOf(client, 'old')), false)
  const daemons = async () =>
    ((await client.want('GET', `/api/v1/namespaces/${agents}/pods`)) as ApiObject & { readonly items: readonly PodObject[] })
      .items
  await eventually('no pod of the DaemonSet on n1', async () => (await daemons()).find(({ spec }) => spec.nodeName === 'n1'))
  await client.want('POST', '/api/v1/namespaces/default/pods', waitingPod)

  const unbound = await kubeconfigOf(plane, stack, { namespace: agents, name: 'ballast-agent' })
  const agentConfig = await kubeconfigOf(plane, stack, { namespace: agents, name: 'ballast-agent' }, await agentPod(client))
  const onlyOwn = await judgeOwnNode({ bound: agentConfig, unbound })
  using agent = startAgent(agentConfig, file)
  const condition = async () =>
    (await nodeOf(client, 'n1')).status?.conditions?.find(({ type }) => type === 'ballast.dev/MirrorReady')
  await eventually(
    () => `no condition: ${agent.log()}`,
    async () => ((await condition())?.status === 'False' ? true : undefined),
  )
  strictEqual((await condition())?.reason, 'NoPeers')
  strictEqual(isHeld(await nodeOf(client, 'n1')), true)
  strictEqual(await placeOfWaiting(client), undefined)

  isServing = true
  await eventually(
    () => `n1 is held on: ${agent.log()} ${controller.log}`,
    async () => (isHeld(await nodeOf(client, 'n1')) ? undefined : true),
  )
  strictEqual((await condition())?.reason, 'Serving')
  await eventually('the pod is not placed', async () => ((await placeOfWaiting(client)) === 'n1' ? true : undefined))

  const refusal = await judgeRules(kubectl, flags)
  // Configurations of webhooks whose capabilities are off are watched for their bundle, which nothing here gives the right to.
  const isOfOthers = ({ verb, path }: { readonly verb: string; readonly path: string }) =>
    ['list', 'watch'].includes(verb) && path.endsWith('/mutatingwebhookconfigurations')
  // What `judgeOwnNode` tried.
  const isTried = ({ verb, path }: { readonly verb: string; readonly path: string }) =>
    verb === 'patch' && /\/nodes\/(old|n1)\/status$/.test(path)
  const refused = plane
    .answered()
    .filter(one => one.user.startsWith('system:serviceaccount:ballast-') && one.code === 403 && !isOfOthers(one) && !isTried(one))
  deepStrictEqual(refused, [])
  agent[Symbol.dispose]()
  await eventually(
    () => `the agent is gone, and its condition is believed: ${controller.log}`,
    async () => ((await condition())?.status === 'Unknown' ? true : undefined),
  )
  strictEqual((await condition())?.reason, 'AgentVanished')
  const impersonating = await asItsNode(plane, stack, {
    file: config('as-node.yaml', configurationText(url, { agent: { impersonateNode: true } })),
    condition,
    serve,
  })
  controller.kill('SIGTERM')
  deepStrictEqual(await controller.ended, { code: 0, signal: null })
  const letGo = await releaseWithoutController(plane, stack, {
    file: config('short.yaml', configurationText(url, { timeout: '2s', agent: { releaseMargin: '1s' } })),
    serve,
  })
  return `server ${plane.serverVersion}: held by the webhook, let go by the agent's condition, a pod followed; no 403 of readiness; a silent agent is Unknown; ${onlyOwn}; ${impersonating}; ${letGo}; ${refusal}`
}

/** No controller runs, and the mirror does not serve: the agent lets its own node go, and may do nothing else to it. */
async function releaseWithoutController(
  plane: ControlPlane,
  stack: AsyncDisposableStack,
  { file, serve }: { readonly file: string; readonly serve: (is: boolean) => void },
): Promise<string> {
  const { client } = plane
  const other = { key: 'example.com/other', effect: 'NoSchedule' }
  const ours = { key: taint, effect: 'NoSchedule', value: 'mirror' }
  serve(false)
  await client.want('PATCH', '/api/v1/nodes/n1', {
    metadata: { annotations: { 'ballast.dev/readiness-released-at': null } },
    spec: { taints: [ours, other] },
  })
  const bound = await kubeconfigOf(plane, stack, { namespace: agents, name: 'ballast-agent' }, await agentPod(client))
  const tries = [
    [{ metadata: { labels: { role: 'control-plane' } } }, /changes no labels/],
    [{ metadata: { annotations: { 'example.com/a': 'b' } } }, /changes no labels/],
    [{ spec: { unschedulable: true } }, /changes nothing of the spec/],
    [{ spec: { taints: [ours] } }, /sets no taint/],
    [{ spec: { taints: [ours, other, { key: 'a', effect: 'NoSchedule' }] } }, /sets no taint/],
  ] as const
  for (const [body, words] of tries) match(await patchNodeAs(bound, 'n1', body), words)
  match(await patchNodeAs(bound, 'old', { spec: { taints: null } }), /an agent writes the node that it runs on/)
  using agent = startAgent(bound, file)
  await eventually(
    () => `the agent does not let its node go: ${agent.log()}`,
    async () => (isHeld(await nodeOf(client, 'n1')) ? undefined : true),
    150_000,
  )
  const { spec, metadata } = await nodeOf(client, 'n1')
  deepStrictEqual(
    spec?.taints?.map(({ key }) => key).filter(key => !key.startsWith('node.kubernetes.io/')),
    [other.key],
  )
  match(
    JSON.stringify(metadata['annotations']),
    /"ballast.dev\/readiness-released-at".*"ballast.dev\/readiness-timed-out":"mirror"/,
  )
  await eventually('it is not told why', async () =>
    (await nodeOf(client, 'n1')).status?.conditions?.some(({ reason }) => reason === 'ReleasedByAgent') === true
      ? true
      : undefined,
  )
  return 'without a controller its agent let the node go, and the policy refused it everything else'
}

/** What the server says to such a patch of a node by the holder of that token. */
async function patchNodeAs(kubeconfig: string, name: string, body: object): Promise<string> {
  const config = await loadConfig({ environment: {}, homeDirectory: '/', kubeconfig })
  const api = openApi(openHttpTransport(config, { clock: systemClock, random: systemRandom }), {
    clock: systemClock,
    userAgent: 'test',
  })
  try {
    await api.resource(builtIn.nodes).patch(name, { type: 'merge', body }, { signal: new AbortController().signal })
    return 'written'
  } catch (error) {
    return String(error)
  } finally {
    await api.close()
  }
}

/** The rights of constrained impersonation: to be the node that the pod is on, and what may be done as such. */
const rightsAsNode = [
  { apiGroups: ['authentication.k8s.io'], resources: ['nodes'], verbs: ['impersonate:associated-node'] },
  { apiGroups: [''], resources: ['nodes'], verbs: ['impersonate-on:associated-node:get'] },
  { apiGroups: [''], resources: ['nodes/status'], verbs: ['impersonate-on:associated-node:patch'] },
]

/** What a token of the agents' pod on n1 is bound to. */
async function agentPod(client: ControlPlane['client']): Promise<object> {
  const { items } = (await client.want('GET', `/api/v1/namespaces/${agents}/pods`)) as ApiObject & {
    readonly items: readonly PodObject[]
  }
  const pod = items.find(({ spec }) => spec.nodeName === 'n1')
  ok(pod !== undefined)
  const { name, uid } = pod.metadata
  return { apiVersion: 'v1', kind: 'Pod', name, uid }
}

/** The policy that comes with the agents: the token of the pod on n1 writes n1 and no other node, and one that names no node writes none. */
async function judgeOwnNode({ bound, unbound }: { readonly bound: string; readonly unbound: string }): Promise<string> {
  const patch = async (kubeconfig: string, name: string) => {
    const config = await loadConfig({ environment: {}, homeDirectory: '/', kubeconfig })
    const api = openApi(openHttpTransport(config, { clock: systemClock, random: systemRandom }), {
      clock: systemClock,
      userAgent: 'test',
    })
    const body = { status: { conditions: [{ type: 'example/Tried', status: 'True' }] } }
    const { signal } = new AbortController()
    try {
      await api.resource(builtIn.nodes).patch(name, { type: 'strategic', body }, { signal, subresource: 'status' })
      return 'written'
    } catch (error) {
      return String(error)
    } finally {
      await api.close()
    }
  }
  await eventually('the policy is not in force', async () => ((await patch(unbound, 'n1')) === 'written' ? undefined : true))
  strictEqual(await patch(bound, 'n1'), 'written')
  for (const refused of [await patch(bound, 'old'), await patch(unbound, 'n1')])
    match(refused, /denied request: an agent writes the node that it runs on/)
  return 'an agent writes its own node only'
}

/** The agent with the token of its pod on n1, as the node that the token is bound to: refused without the rights, at work with them. */
async function asItsNode(
  plane: ControlPlane,
  stack: AsyncDisposableStack,
  around: {
    readonly file: string
    readonly condition: () => Promise<{ readonly status: string } | undefined>
    readonly serve: (is: boolean) => void
  },
): Promise<string> {
  const { client } = plane
  const kubeconfig = await kubeconfigOf(plane, stack, { namespace: agents, name: 'ballast-agent' }, await agentPod(client))
  using agent = startAgent(kubeconfig, around.file)
  await eventually(
    () => `it is not refused: ${agent.log()}`,
    () => (agent.log().includes('cannot impersonate') ? true : undefined),
  )
  const rbac = '/apis/rbac.authorization.k8s.io/v1'
  const bind = async (role: string, rules: readonly object[], subject: object) => {
    await client.want('POST', `${rbac}/clusterroles`, { metadata: { name: role }, rules })
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role }
    await client.want('POST', `${rbac}/clusterrolebindings`, { metadata: { name: role }, roleRef, subjects: [subject] })
  }
  await bind('agents-as-nodes', rightsAsNode, { kind: 'ServiceAccount', namespace: agents, name: 'ballast-agent' })
  // What the node authorizer gives to nodes, which this server runs without.
  const ownRules = [
    { apiGroups: [''], resources: ['nodes'], verbs: ['get'] },
    { apiGroups: [''], resources: ['nodes/status'], verbs: ['patch'] },
  ]
  await bind('own-node', ownRules, { apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'system:node:n1' })
  around.serve(false)
  await eventually(
    () => `it does not write as its node: ${agent.log()}`,
    async () => ((await around.condition())?.status === 'False' ? true : undefined),
  )
  around.serve(true)
  return 'written as system:node:n1 with constrained impersonation'
}

/** Everything that `ballast manifests` prints, taken by the real server, but for the controller's Deployment: it runs here. */
async function install(plane: ControlPlane, kubectl: string, file: string): Promise<void> {
  const printed = await commandOutput(process.execPath, [commandLine, 'manifests', '--config', file, '--format', 'json'])
  const { items }: { readonly items: readonly ApiObject[] } = JSON.parse(printed)
  const apply = (objects: readonly ApiObject[]) =>
    commandOutput(kubectl, [`--kubeconfig=${plane.kubeconfig}`, 'apply', '--server-side', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
      timeoutMs: 120_000,
    })
  await apply(items.filter(({ kind }) => kind !== 'Deployment'))
  await untilEstablished(plane.client, 'nodereadinessrules.readiness.node.x-k8s.io')
}

/** A kubeconfig with a token of that account and nothing else. */
async function kubeconfigOf(
  plane: ControlPlane,
  stack: AsyncDisposableStack,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  boundObjectRef?: object,
): Promise<string> {
  const spec = { expirationSeconds: 3_600, ...(boundObjectRef === undefined ? {} : { boundObjectRef }) }
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec }
  const { status } = (await plane.client.want('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, body)) as {
    readonly status?: { readonly token?: string }
  }
  ok(status?.token !== undefined)
  return stack.use(tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), status.token)).file
}

function startAgent(kubeconfig: string, file: string): { log(): string } & Disposable {
  const args = [commandLine, 'agent', '--role=readiness', '--config', file, '--kubeconfig', kubeconfig, '--node-name', 'n1']
  const child: ChildProcess = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'] },
  })
  const isOver = atEnd(() => child.kill('SIGKILL'))
  child.on('close', isOver)
  let log = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  return { log: () => log, [Symbol.dispose]: () => void child.kill('SIGKILL') }
}

function nodeObject(name: string) {
  const amounts = { cpu: '4', memory: '8Gi', pods: '110' }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/os': 'linux', 'kubernetes.io/hostname': name, role: 'worker' } },
    status: {
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      allocatable: amounts,
      capacity: amounts,
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  }
}

const waitingPod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'waiting', namespace: 'default' },
  spec: { nodeSelector: { 'kubernetes.io/hostname': 'n1' }, containers: [{ name: 'main', image: 'registry.example/web:1' }] },
}

type Client = ControlPlane['client']

async function nodeOf(client: Client, name: string): Promise<NodeObject> {
  return (await client.want('GET', `/api/v1/nodes/${name}`)) as NodeObject
}

const isHeld = ({ spec }: NodeObject) => spec?.taints?.some(({ key }) => key === taint) === true

async function placeOfWaiting(client: Client): Promise<string | undefined> {
  return ((await client.want('GET', '/api/v1/namespaces/default/pods/waiting')) as PodObject).spec.nodeName
}

/** From then on a node is younger than the rule. */
async function waitForRules(client: Client): Promise<void> {
  const path = '/api/v1/namespaces/ballast-system/configmaps/ballast-readiness-rules'
  await eventually('it is not remembered since when there is a rule', async () =>
    (await client.send('GET', path)).status === 200 ? true : undefined,
  )
  // Creation times are whole seconds: one of the same second would be older.
  const sinceMs = Date.now()
  await eventually('a second does not pass', () => (Date.now() - sinceMs > 1_500 ? true : undefined))
}

/** What the server and its webhook say to rules that cannot be, and how rules are found. */
async function judgeRules(kubectl: string, flags: readonly string[]): Promise<string> {
  const rule = (name: string, over: object = {}) =>
    JSON.stringify({
      apiVersion: 'readiness.node.x-k8s.io/v1alpha1',
      kind: 'NodeReadinessRule',
      metadata: { name },
      spec: {
        conditions: [{ type: 'A', requiredStatus: 'True' }],
        enforcementMode: 'continuous',
        taint: { key: 'readiness.k8s.io/net', effect: 'NoSchedule' },
        nodeSelector: { matchLabels: { role: 'none' } },
        ...over,
      },
    })
  const apply = (input: string) => runCommand(kubectl, [...flags, 'apply', '-f', '-'], { input, timeoutMs: 60_000 })
  strictEqual((await apply(rule('first'))).code, 0)
  match(
    (await apply(rule('second'))).stderr,
    /admission webhook "rules\.readiness\.ballast\.dev" denied the request: validation failed: \[spec\.taint\.key: Invalid value: "readiness\.k8s\.io\/net": conflicts with existing rule 'first'/,
  )
  match(
    (await apply(rule('third', { taint: { key: 'example.com/a', effect: 'NoSchedule' } }))).stderr,
    /taint key must start with 'readiness\.k8s\.io\/'/,
  )
  match((await apply(rule('first', { enforcementMode: 'bootstrap-only' }))).stderr, /enforcementMode is immutable/)
  const found = async (mode: string) =>
    (await commandOutput(kubectl, [...flags, 'get', 'nrr', `--field-selector=spec.enforcementMode=${mode}`, '-o', 'name'])).trim()
  strictEqual(await found('continuous'), 'nodereadinessrule.readiness.node.x-k8s.io/first')
  strictEqual(await found('bootstrap-only'), '')
  ok((await commandOutput(kubectl, [...flags, 'get', '--raw', rulesPath])).includes('cleanup-taints'))
  return 'rules refused by webhook and CEL in upstream’s words, found by field'
}
