// One real control plane with the example on it, and how checks of `ballast controller` drive and judge it.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import type { Transport } from '#kube/client/transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { systemRandom } from '#kube/random.ts'
import { ballastNamespace, controllerAccount } from '../../../src/process/own-names.ts'
import { ControllerProcess, tokenKubeconfig } from '../../controller-process.ts'
import type { Judgement } from '../../independent-checker.ts'
import type { ApiClient, ApiObject } from '../control-plane/api-client.ts'
import type { MinorVersion } from '../control-plane/build.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { type AnsweredRequest, type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { atEnd } from '../endings.ts'
import { type CommandResult, commandOutput, runCommand } from '../run-command.ts'
import { createExample, exampleCluster, untilSteady } from './example-cluster.ts'
import { install } from './kinds.ts'
import { startTinyKubelet, type TinyKubelet } from './tiny-kubelet.ts'

/** The command line's program, for node. */
export const commandLine = join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'main.ts')
const account = `system:serviceaccount:${ballastNamespace}:${controllerAccount}`

export const paths = {
  plans: '/apis/ballast.dev/v1alpha1/rebalanceplans',
  policy: '/apis/ballast.dev/v1alpha1/rebalancepolicies/talos',
  permits: '/apis/ballast.dev/v1alpha1/disruptionpermits',
  lease: `/apis/coordination.k8s.io/v1/namespaces/${ballastNamespace}/leases/ballast-controller`,
} as const

export interface PlanObject extends ApiObject {
  readonly spec: {
    readonly snapshotHash: string
    readonly landing: string
    readonly attempt: number
    readonly purpose?: string
    readonly approved?: boolean
    readonly moves: readonly {
      readonly id: string
      readonly action: string
      readonly pod: { readonly namespace: string; readonly name: string }
      readonly workload: { readonly kind: string; readonly namespace: string; readonly name: string }
    }[]
  }
  readonly status?: {
    readonly phase?: string
    readonly message?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
    readonly unmovable?: readonly { readonly workload: string; readonly reason: string; readonly message?: string }[]
    readonly steps?: readonly {
      readonly id: string
      readonly state: string
      readonly landedOn?: string
      readonly reason?: string
      readonly message?: string
    }[]
  }
}

export interface PermitObject extends ApiObject {
  readonly spec: {
    readonly requester: string
    readonly verb: string
    readonly grant?: { readonly token: number; readonly at: string }
  }
  readonly status?: {
    readonly decision?: string
    readonly reason?: string
    readonly releasedAt?: string
    readonly ending?: string
  }
}

export interface Site extends AsyncDisposable {
  readonly plane: ControlPlane
  readonly client: ApiClient
  readonly kubelet: TinyKubelet
  readonly podCount: number
  /** With all rights, for the checker. */
  readonly transport: Transport
  /** A process of `ballast controller` with its ServiceAccount's token; killed with the site, if it still runs. */
  startController(landing?: 'prefer' | 'hold', flags?: readonly string[]): ControllerProcess
  /** A command of ours as its user runs it, with the administrator's kubeconfig. */
  ballast(args: readonly string[], timeoutMs?: number): Promise<CommandResult>
  /** The output of kubectl, which must succeed. */
  kubectl(args: readonly string[], input?: string): Promise<string>
  /** @throws Error with what went wrong in the kubelet or a controller that should run */
  look(...controllers: readonly ControllerProcess[]): void
}

/** Starts all of it: when it yields, each pod stands where the example has it and the real scheduler has taken over. */
export async function openSite(
  scheduler: MinorVersion,
  change: (objects: readonly ApiObject[]) => readonly ApiObject[] = objects => objects,
): Promise<Site> {
  await using opening = new AsyncDisposableStack()
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: true, audit: true })
  opening.defer(() => plane.stop())
  const { client } = plane
  const example = exampleCluster()
  await install(plane)
  // Until the pods stand where the example has them, the kubelet binds them; then the scheduler takes over.
  let isPlaced = false
  const kubelet = await startTinyKubelet(client, pod => (isPlaced ? undefined : example.place(pod)))
  opening.defer(() => kubelet.stop())
  await createExample(client, change(example.objects))
  await untilSteady(client, kubelet.pods, example.podCount)
  isPlaced = true
  await plane.startScheduler({ version: scheduler })
  const kubeconfig = opening.use(tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), await token(plane)))
  const config = await loadConfig({ environment: {}, homeDirectory: '/', kubeconfig: plane.kubeconfig })
  const transport = openHttpTransport(config, { clock: systemClock, random: systemRandom })
  opening.defer(() => transport.close())
  const kubectl = await kubectlPath('newest')
  const resources = opening.move()
  return {
    plane,
    client,
    kubelet,
    podCount: example.podCount,
    transport,
    startController(landing = 'prefer', flags = []) {
      const controller = new ControllerProcess(kubeconfig.file, landing, flags)
      resources.defer(() => controller.kill('SIGKILL'))
      void controller.ended.then(atEnd(() => controller.kill('SIGKILL')))
      return controller
    },
    ballast: (args, timeoutMs = 240_000) =>
      runCommand(process.execPath, [commandLine, ...args, '--kubeconfig', plane.kubeconfig], {
        env: { NO_COLOR: '1' },
        timeoutMs,
      }),
    kubectl: (args, input) =>
      commandOutput(kubectl, [`--kubeconfig=${plane.kubeconfig}`, ...args], {
        timeoutMs: 120_000,
        ...(input === undefined ? {} : { input }),
      }),
    look(...controllers) {
      if (kubelet.failure !== undefined) throw kubelet.failure
      for (const controller of controllers)
        if (!controller.isRunning) throw new Error(`ballast controller ended: ${controller.log}`)
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** A token of our own ServiceAccount, good for an hour. */
export async function token({ client }: ControlPlane): Promise<string> {
  const path = `/api/v1/namespaces/${ballastNamespace}/serviceaccounts/${controllerAccount}/token`
  const { status } = (await client.want('POST', path, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 3600 },
  })) as { readonly status?: { readonly token?: string } }
  ok(status?.token !== undefined)
  return status.token
}

/** What a collection holds; a kind that is new to the server has no storage yet, and nothing in it. */
export async function listOf<T extends ApiObject>(client: ApiClient, path: string): Promise<readonly T[]> {
  const { status, body } = await client.send('GET', path)
  if (status === 429) return []
  strictEqual(status, 200, JSON.stringify(body))
  return (body as { readonly items: readonly T[] }).items
}

export const approve = ({ client }: Pick<Site, 'client'>, plan: PlanObject): Promise<unknown> =>
  client.want('PATCH', `${paths.plans}/${plan.metadata.name}`, {
    spec: { approved: true, approvedHash: plan.spec.snapshotHash },
  })

export const isOver = ({ status }: PlanObject) => ['Succeeded', 'Failed', 'Expired'].includes(status?.phase ?? '')

/** The plan of the last attempt; lists are in the order of names. */
export const lastOf = (plans: readonly PlanObject[]) => plans.toSorted((a, b) => a.spec.attempt - b.spec.attempt).at(-1)

export const told = (plans: readonly PlanObject[]) =>
  plans.map(({ metadata, status }) => `${metadata.name} ${status?.phase} ${status?.message ?? ''}`).join('; ')

export const landings = (plans: readonly PlanObject[]) =>
  plans.flatMap(({ status }) => status?.steps ?? []).filter(({ state }) => state === 'Landed')

/** Without a change of its plans for this long a run is stuck. */
const runLimitMs = 180_000

/** Asks for a plan, approves what is proposed, and yields the plans when the last is over. */
export async function follow(
  site: Pick<Site, 'client'>,
  look: (plans: readonly PlanObject[]) => Promise<string>,
  policy: string = paths.policy,
): Promise<readonly PlanObject[]> {
  await site.client.want('PATCH', policy, { metadata: { annotations: { 'ballast.dev/plan-now': 'now' } } })
  let last: readonly PlanObject[] = []
  let log = ''
  let untilMs = Date.now() + runLimitMs
  for (;;) {
    const before = JSON.stringify(last)
    last = await listOf<PlanObject>(site.client, paths.plans)
    if (JSON.stringify(last) !== before) untilMs = Date.now() + runLimitMs
    const lines = log.split('\n').slice(-8).join('\n')
    ok(Date.now() < untilMs, `nothing for ${runLimitMs / 1000} s; plans: ${told(last)}\n${lines}`)
    log = await look(last)
    for (const plan of last) if (plan.status?.phase === 'Proposed' && plan.spec.approved !== true) await approve(site, plan)
    if (last.length > 0 && last.every(isOver)) return last
    await pause(200)
  }
}

/** So long Kubernetes waits for a process that was told to stop. */
const graceMs = 30_000

/** Ends the controller as Kubernetes does, and waits until the pods are whole. */
export async function end(site: Site, controller: ControllerProcess): Promise<void> {
  controller.kill('SIGTERM')
  const ending = await Promise.race([controller.ended, pause(graceMs, undefined, { ref: false })])
  ok(
    ending !== undefined,
    `the controller still runs ${graceMs / 1000} s after SIGTERM: ${controller.log.split('\n').slice(-4).join('\n')}`,
  )
  deepStrictEqual(ending, { code: 0, signal: null })
  await untilSteady(site.client, site.kubelet.pods, site.podCount)
}

export interface Traces {
  readonly requests: readonly AnsweredRequest[]
  readonly evictions: readonly string[]
  readonly permits: readonly PermitObject[]
}

/**
 * What holds after every run, whatever was done: nothing forbidden, nothing evicted twice, no budget broken, nothing of ours left
 * behind, and each permit with a fencing token of its own that is larger than those before.
 */
export async function judgeTraces(
  { plane, client }: Pick<Site, 'plane' | 'client'>,
  judgement: Judgement,
  /** Replacements that landed without their gate and were moved again: one of a StatefulSet has the name of the first. */
  movedAgain = 0,
): Promise<Traces> {
  const requests = plane.answered().filter(({ user }) => user === account)
  deepStrictEqual(
    requests.filter(({ code }) => code === 403 || code === 401),
    [],
  )
  const evictions = requests.filter(({ path, code }) => path.endsWith('/eviction') && code === 201).map(({ path }) => path)
  ok(new Set(evictions).size >= evictions.length - movedAgain, 'a pod was evicted twice')
  deepStrictEqual(judgement.violations, [])
  deepStrictEqual(judgement.pending, [])
  ok(judgement.events > 60, `${judgement.events} watch events`)
  const nodes = await listOf<NodeObject>(client, '/api/v1/nodes')
  deepStrictEqual(
    nodes.flatMap(({ metadata, spec }) =>
      (spec.taints ?? []).filter(({ key }) => key.startsWith('ballast.dev/')).map(({ key }) => `${metadata.name} ${key}`),
    ),
    [],
  )
  const pods = await listOf<GatedPod>(client, '/api/v1/pods')
  deepStrictEqual(
    pods.filter(({ spec }) => (spec.schedulingGates ?? []).length > 0).map(({ metadata }) => metadata.name),
    [],
  )
  const permits = await listOf<PermitObject>(client, paths.permits)
  const granted = permits.filter(({ spec }) => spec.grant !== undefined)
  deepStrictEqual(
    granted.filter(({ status }) => status?.releasedAt === undefined).map(({ metadata }) => metadata.name),
    [],
  )
  const byTime = granted.toSorted((a, b) => (a.spec.grant?.token ?? 0) - (b.spec.grant?.token ?? 0))
  const tokens = byTime.map(({ spec }) => spec.grant?.token ?? 0)
  strictEqual(new Set(tokens).size, tokens.length, `two permits have one token: ${tokens}`)
  const times = byTime.map(({ spec }) => spec.grant?.at ?? '')
  deepStrictEqual(times, times.toSorted(), 'a later grant has a smaller token')
  return { requests, evictions, permits }
}

interface NodeObject extends ApiObject {
  readonly spec: { readonly taints?: readonly { readonly key: string; readonly effect: string }[] }
}

interface GatedPod extends ApiObject {
  readonly spec: { readonly schedulingGates?: readonly unknown[] }
}

/** `node key:effect` of each taint. */
export async function taints(client: ApiClient): Promise<readonly string[]> {
  const nodes = await listOf<NodeObject>(client, '/api/v1/nodes')
  return nodes.flatMap(({ metadata, spec }) => (spec.taints ?? []).map(({ key, effect }) => `${metadata.name} ${key}:${effect}`))
}
