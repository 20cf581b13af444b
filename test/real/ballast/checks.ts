// `ballast controller` on a real control plane, with nothing but its ServiceAccount's token: a real scheduler decides where the pods
// land, the real eviction API guards the budgets, real controllers replace what was evicted.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/config.ts'
import { openHttpTransport } from '#kube/http-transport.ts'
import { systemRandom } from '#kube/random.ts'
import type { Transport } from '#kube/transport.ts'
import tables from '../../../examples/talos-homelab/expect/tables.json' with { type: 'json' }
import { ballastNamespace, controllerAccount } from '../../../src/cli/install-ballast.ts'
import { ControllerProcess, tokenKubeconfig } from '../../controller-process.ts'
import { openChecker } from '../../independent-checker.ts'
import type { Check } from '../check.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { kubernetesVersions, type MinorVersion } from '../control-plane/build.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { commandOutput } from '../run-command.ts'
import { createExample, eventually, exampleCluster, untilSteady } from './example-cluster.ts'
import { install, judgeKinds } from './kinds.ts'
import { startTinyKubelet } from './tiny-kubelet.ts'

const account = `system:serviceaccount:${ballastNamespace}:${controllerAccount}`
const plans = '/apis/ballast.dev/v1alpha1/rebalanceplans'
const policy = '/apis/ballast.dev/v1alpha1/rebalancepolicies/talos'
/** Without progress for this long a run is stuck. */
const runLimitMs = 240_000

interface Variant {
  readonly scheduler: MinorVersion
  /** `hold` where the process serves webhooks, which the API server calls on loopback. */
  readonly landing: 'prefer' | 'hold'
  /** By SIGKILL, when five moves have landed; another process finishes. */
  readonly isKilled: boolean
}

const variants: readonly Variant[] = [
  { scheduler: '1.36', landing: 'prefer', isKilled: false },
  { scheduler: '1.34', landing: 'prefer', isKilled: true },
  { scheduler: '1.36', landing: 'hold', isKilled: false },
]

export const ballastChecks: readonly Check[] = [
  { name: 'ballast controller on the real control plane: kinds', run: () => onControlPlane(judgeKinds) },
  ...variants.map(variant => ({
    name: `ballast controller on the real control plane: the example put right, kube-scheduler ${kubernetesVersions[variant.scheduler]}, landing ${variant.landing}${variant.isKilled ? ', killed half-way' : ''}`,
    run: () => onControlPlane(plane => putRight(plane, variant)),
  })),
]

async function onControlPlane(work: (plane: ControlPlane) => Promise<string>): Promise<string> {
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: true, audit: true })
  try {
    return await work(plane)
  } finally {
    await plane.stop()
  }
}

interface PlanObject extends ApiObject {
  readonly spec: {
    readonly snapshotHash: string
    readonly landing: string
    readonly approved?: boolean
    readonly moves: readonly { readonly action: string }[]
  }
  readonly status?: {
    readonly phase?: string
    readonly message?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
    readonly steps?: readonly { readonly id: string; readonly state: string; readonly landedOn?: string }[]
  }
}

async function putRight(plane: ControlPlane, { scheduler, landing, isKilled }: Variant): Promise<string> {
  const { client } = plane
  const example = exampleCluster()
  await install(plane)
  // Until the pods stand where the example has them, the kubelet binds them; then the scheduler takes over.
  let isPlaced = false
  const kubelet = await startTinyKubelet(client, pod => (isPlaced ? undefined : example.place(pod)))
  try {
    await createExample(client, example.objects)
    await untilSteady(client, kubelet.pods, example.podCount)
    isPlaced = true
    await plane.startScheduler({ version: scheduler })
    using kubeconfig = tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), await token(plane))
    const transport = await transportTo(plane.kubeconfig)
    let controller = new ControllerProcess(kubeconfig.file, landing)
    let kills = 0
    try {
      const checker = await openChecker(transport)
      const ended = await follow(plane, async plans => {
        if (kubelet.failure !== undefined) throw kubelet.failure
        if (!controller.isRunning) throw new Error(`ballast controller ended: ${controller.log}`)
        if (isKilled && kills === 0 && landings(plans).length >= 5) {
          kills++
          controller.kill('SIGKILL')
          await controller.ended
          controller = new ControllerProcess(kubeconfig.file, landing)
        }
        return controller.log
      })
      strictEqual(kills, isKilled ? 1 : 0)
      controller.kill('SIGTERM')
      deepStrictEqual(await controller.ended, { code: 0, signal: null })
      await untilSteady(client, kubelet.pods, example.podCount)
      deepStrictEqual([...new Set(ended.map(({ spec }) => spec.landing))], [landing])
      return await judge(plane, ended, await checker.judge())
    } finally {
      controller.kill('SIGKILL')
      await transport.close()
    }
  } finally {
    await kubelet.stop()
  }
}

async function transportTo(kubeconfig: string): Promise<Transport> {
  const config = await loadConfig({ environment: {}, homeDirectory: '/', kubeconfig })
  return openHttpTransport(config, { clock: systemClock, random: systemRandom })
}

async function token({ client }: ControlPlane): Promise<string> {
  const path = `/api/v1/namespaces/${ballastNamespace}/serviceaccounts/${controllerAccount}/token`
  const { status } = (await client.want('POST', path, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 3600 },
  })) as { readonly status?: { readonly token?: string } }
  ok(status?.token !== undefined)
  return status.token
}

/** Asks for a plan, approves what is proposed, and yields the plans when the last is over. */
async function follow(
  { client }: ControlPlane,
  look: (plans: readonly PlanObject[]) => Promise<string>,
): Promise<readonly PlanObject[]> {
  await client.want('PATCH', policy, { metadata: { annotations: { 'ballast.dev/plan-now': 'now' } } })
  let last: readonly PlanObject[] = []
  let log = ''
  return await eventually(
    () => `the run ends; plans: ${told(last)}\n${log.split('\n').slice(-8).join('\n')}`,
    async () => {
      const answer = await client.send('GET', plans)
      // A kind that is new to the server has no storage yet.
      if (answer.status === 429) return undefined
      strictEqual(answer.status, 200, JSON.stringify(answer.body))
      last = (answer.body as { readonly items: readonly PlanObject[] }).items
      log = await look(last)
      for (const plan of last) {
        if (plan.status?.phase !== 'Proposed' || plan.spec.approved === true) continue
        const spec = { approved: true, approvedHash: plan.spec.snapshotHash }
        await client.want('PATCH', `${plans}/${plan.metadata.name}`, { spec })
      }
      const isOver = ({ status }: PlanObject) => ['Succeeded', 'Failed', 'Expired'].includes(status?.phase ?? '')
      return last.length > 0 && last.every(isOver) ? last : undefined
    },
    runLimitMs,
  )
}

const told = (ended: readonly PlanObject[]) =>
  ended.map(({ metadata, status }) => `${metadata.name} ${status?.phase} ${status?.message ?? ''}`).join('; ')

const landings = (ended: readonly PlanObject[]) =>
  ended.flatMap(({ status }) => status?.steps ?? []).filter(({ state }) => state === 'Landed')

type Judgement = Awaited<ReturnType<Awaited<ReturnType<typeof openChecker>>['judge']>>

async function judge(plane: ControlPlane, ended: readonly PlanObject[], judgement: Judgement): Promise<string> {
  const { client } = plane
  const requests = plane.answered().filter(({ user }) => user === account)
  deepStrictEqual(
    requests.filter(({ code }) => code === 403 || code === 401),
    [],
  )
  const evictions = requests.filter(({ path, code }) => path.endsWith('/eviction') && code === 201).map(({ path }) => path)
  strictEqual(new Set(evictions).size, evictions.length, 'a pod was evicted twice')
  const last = ended.at(-1)
  strictEqual(last?.status?.conditions?.find(({ type }) => type === 'GoalsMet')?.status, 'True', told(ended))
  const steps = ended.flatMap(({ status }) => status?.steps ?? [])
  const landed = landings(ended)
  const surges = ended.flatMap(({ spec }) => spec.moves).filter(({ action }) => action === 'surge')
  // The real scheduler agrees with every landing that was foretold, so that nothing is planned twice.
  strictEqual(landed.length, tables.plan.moves, told(ended))
  deepStrictEqual([...new Set(landed.map(({ landedOn }) => landedOn))], [tables.plan.to])
  strictEqual(evictions.length + surges.length, tables.plan.moves)
  deepStrictEqual(judgement.violations, [])
  deepStrictEqual(judgement.pending, [])
  ok(judgement.events > 60, `${judgement.events} watch events`)
  const nodes = (await client.want('GET', '/api/v1/nodes')).items as readonly {
    readonly metadata: { readonly name: string }
    readonly spec: { readonly taints?: readonly { readonly key: string }[] }
  }[]
  deepStrictEqual(
    nodes.flatMap(({ metadata, spec }) => (spec.taints ?? []).map(({ key }) => `${metadata.name} ${key}`)),
    [],
  )
  const gated = (await client.want('GET', '/api/v1/pods')).items as readonly {
    readonly metadata: { readonly name: string }
    readonly spec: { readonly schedulingGates?: readonly unknown[] }
  }[]
  deepStrictEqual(
    gated.filter(({ spec }) => (spec.schedulingGates ?? []).length > 0).map(({ metadata }) => metadata.name),
    [],
  )
  const permits = (await client.want('GET', '/apis/ballast.dev/v1alpha1/disruptionpermits')).items as readonly {
    readonly metadata: { readonly name: string }
    readonly status?: { readonly releasedAt?: string }
  }[]
  deepStrictEqual(
    permits.filter(({ status }) => status?.releasedAt === undefined).map(({ metadata }) => metadata.name),
    [],
  )
  const control = judgement.nodes.get('talos00')?.millicores ?? 0
  const target = judgement.nodes.get('talos03')?.millicores ?? 0
  ok(control * 100 < 70 * 7950, `talos00: ${control} millicores of 7950`)
  ok(target * 100 > 30 * 15_950, `talos03: ${target} millicores of 15950`)
  const shown = await commandOutput(
    await kubectlPath('newest'),
    [`--kubeconfig=${plane.kubeconfig}`, 'get', 'rbpol,rbplan,permit', '-A'],
    { timeoutMs: 60_000 },
  )
  const empty = emptyColumns(shown)
  deepStrictEqual(empty, [], shown)
  return [
    `server ${plane.serverVersion}`,
    `${landed.length} of ${steps.length} moves landed in ${ended.length} plan(s)`,
    `${evictions.length} evictions`,
    `${permits.length} permits`,
    `${requests.length} requests, no 403`,
    `${judgement.events} pod events, no budget broken`,
    `talos00 ${Math.trunc((100 * control) / 7950)} %, talos03 ${Math.trunc((100 * target) / 15_950)} %`,
  ].join(', ')
}

/** Columns of kubectl's tables in which no row says anything: a definition that points at nothing. */
function emptyColumns(tables: string): readonly string[] {
  return tables
    .split(/\n\s*\n/)
    .filter(table => table.trim() !== '')
    .flatMap(table => {
      const [head = '', ...rows] = table.split('\n').filter(line => line.trim() !== '')
      const columns = Array.from(head.matchAll(/\S+(?: \S+)*/g), ({ 0: name, index }) => ({ name, index }))
      return columns
        .filter(({ index }, at) => rows.every(row => row.slice(index, columns[at + 1]?.index).trim() === ''))
        .map(({ name }) => name)
    })
}
