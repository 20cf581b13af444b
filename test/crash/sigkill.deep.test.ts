// A real `ballast controller`, killed by SIGKILL ten times while it puts the example right over HTTPS, in real time. What the kills
// on a virtual clock cannot show: that a process which never hears of its end leaves nothing that runs on, and that the next one
// takes the Lease over and finishes.
import { expect, test } from 'vitest'
import { type RebalancePlan, type RebalancePolicy, rebalancePlans, rebalancePolicies } from '#coordination/api.ts'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin } from '#twin/twin.ts'
import { controllerToken, installBallast } from '../../src/deployment/install-ballast.ts'
import { enabledCapabilities } from '../../src/process/enabled-capabilities.ts'
import { ControllerProcess, runs, tokenKubeconfig, until } from '../controller-process.ts'
import { openChecker } from '../independent-checker.ts'
import { exampleObjects, faults } from './killed-example.ts'

const namespace = 'ballast-system'
const account = 'system:serviceaccount:ballast-system:ballast-controller'
const seed = Number(process.env['BALLAST_SEED'] ?? '1')
/** A Lease is taken over after 15 to 18 s, a move takes less than 60: without a kill or an end for this long the run is stuck. */
const patienceMs = 480_000

/**
 * What is killed at, in an order that the seed has: evictions, the marks around them, and what is written down about both. A webhook
 * that is gone between an eviction and its replacement holds nothing, and another plan has to follow: there it is not killed.
 */
const kinds = {
  prefer: ['eviction', 'eviction', 'eviction', 'mark', 'mark', 'workload', 'permit', 'permit', 'status', 'status'],
  hold: ['mark', 'mark', 'mark', 'mark', 'mark', 'permit', 'permit', 'permit', 'permit', 'permit'],
} as const
type WriteKind = (typeof kinds)['prefer'][number]

/** What a write of the controller is about; undefined for leases and events, which say nothing about the work. */
function kindOf(path: string): WriteKind | undefined {
  if (path.endsWith('/eviction')) return 'eviction'
  // Taints of nodes, gates of pods.
  if (/\/(nodes|pods)\/[^/]+$/.test(path)) return 'mark'
  // A surge, or the memory of a move.
  if (path.includes('/apis/apps/')) return 'workload'
  if (path.includes('/disruptionpermits')) return 'permit'
  return path.includes('/apis/ballast.dev/') ? 'status' : undefined
}

interface KillPoint {
  readonly kind: WriteKind
  /** The first write of the kind that is at least this one of the process's work. */
  readonly write: number
}

/** Ten points, in an order that the seed has. */
function killPoints(wanted: readonly WriteKind[], random: () => number): readonly KillPoint[] {
  return wanted
    .map(kind => ({ kind, order: random(), write: 1 + Math.floor(random() * 6) }))
    .toSorted((a, b) => a.order - b.order)
}

async function listeningExample() {
  const stack = new AsyncDisposableStack()
  let onWrite: ((verb: string, path: string) => void) | undefined
  const twin = stack.use(
    await startTwin({
      clock: systemClock,
      seed,
      objects: [],
      listen: { port: 0 },
      onExchange: ({ method, path, headers }) => {
        if (method !== 'GET' && headers['user-agent']?.endsWith(' controller')) onWrite?.(method, path)
      },
    }),
  )
  const { signal } = new AbortController()
  const admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test admin' })
  stack.defer(() => admin.close())
  await installBallast(admin, { capabilities: enabledCapabilities, namespace, signal })
  const token = await controllerToken(admin, { namespace, seconds: 86_400, signal })
  twin.load(exampleObjects)
  await twin.settle({ limitMs: 120_000 })
  const kubeconfig = stack.use(tokenKubeconfig(await twin.kubeconfig(), token)).file
  return {
    twin,
    kubeconfig,
    /** The twin's store holds what the API server validated. */
    list: <T extends KubeObject>(resource: string) => twin.access.list(resource) as readonly T[],
    plans: () => twin.access.list('rebalanceplans.ballast.dev') as readonly RebalancePlan[],
    get forbidden() {
      return twin.requests.entries
        .filter(({ user, code }) => user === account && code === 403)
        .map(({ verb, path }) => `${verb} ${path}`)
    },
    hear: (listener: typeof onWrite) => {
      onWrite = listener
    },
    ask: () =>
      admin
        .resource<RebalancePolicy>(rebalancePolicies)
        .patch('talos', { type: 'merge', body: { metadata: { annotations: { 'ballast.dev/plan-now': 'now' } } } }, { signal }),
    approve: (plan: RebalancePlan) =>
      admin
        .resource<RebalancePlan>(rebalancePlans)
        .patch(
          plan.metadata.name,
          { type: 'merge', body: { spec: { approved: true, approvedHash: plan.spec.snapshotHash } } },
          { signal },
        ),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const isOver = (plan: RebalancePlan) => ['Succeeded', 'Failed', 'Expired'].includes(plan.status?.phase ?? '')

// Side by side: most of the time both wait for a Lease to run out.
test.concurrent.each(['prefer', 'hold'] as const)(
  `killed ten times by SIGKILL, landing %s, seed ${seed}, the example repeats and forgets nothing`,
  async landing => {
    await using cluster = await listeningExample()
    const checker = await openChecker(cluster.twin.transport({ admin: true }))
    const points = killPoints(kinds[landing], seededRandom(seed))
    const orphans: number[] = []
    const killedAt: string[] = []
    await using processes = new AsyncDisposableStack()
    const start = () => {
      const child = new ControllerProcess(cluster.kubeconfig, landing)
      processes.defer(() => child.kill('SIGKILL'))
      let count = 0
      cluster.hear((verb, path) => {
        const point = points[killedAt.length]
        const kind = kindOf(path)
        if (kind === undefined || point === undefined || !child.isRunning) return
        count++
        if (kind !== point.kind || count < point.write) return
        orphans.push(...child.children)
        child.kill('SIGKILL')
        killedAt.push(`write ${count}, ${point.kind}: ${verb} ${path}`)
        cluster.hear(undefined)
      })
      return child
    }
    let controller = start()
    const story = () =>
      `${killedAt.length} kills; plans ${cluster.plans().map(plan => `${plan.metadata.name} ${plan.status?.phase}`)}; ${controller.log.split('\n').slice(-6).join('\n')}`
    await cluster.ask()
    const approved = new Set<string>()
    for (;;) {
      const next = () => cluster.plans().find(plan => plan.status?.phase === 'Proposed' && !approved.has(plan.metadata.name))
      const ended = () => cluster.plans().length > 0 && cluster.plans().every(isOver)
      await until(story, () => !controller.isRunning || next() !== undefined || ended(), patienceMs)
      if (!controller.isRunning) {
        const { signal } = await controller.ended
        expect(signal, story()).toBe('SIGKILL')
        controller = start()
        continue
      }
      const plan = next()
      if (plan === undefined) break
      approved.add(plan.metadata.name)
      await cluster.approve(plan)
    }
    console.log(
      `killed by SIGKILL, landing ${landing}, seed ${seed}:\n${killedAt.map((at, number) => `${number + 1}. ${at}`).join('\n')}`,
    )
    await until(
      () => faults(cluster).join('; '),
      () => faults(cluster).length === 0,
      patienceMs,
    )
    // Killed at its last write, the run has a process that only begins.
    await until(story, () => controller.log.includes('"msg":"leading"'), patienceMs)
    controller.kill('SIGTERM')
    expect(await controller.ended).toEqual({ code: 0, signal: null })
    const judgement = await checker.judge()
    expect(faults(cluster)).toEqual([])
    expect(judgement.violations).toEqual([])
    expect(judgement.pending).toEqual([])
    expect(judgement.events).toBeGreaterThan(60)
    expect(killedAt).toHaveLength(10)
    await until(
      () => `processes ${orphans.filter(runs)} of killed controllers run`,
      () => !orphans.some(runs),
      patienceMs,
    )
  },
)

test.runIf(process.platform === 'linux')('a solver ends by itself when its controller is killed', async () => {
  await using cluster = await listeningExample()
  const controller = new ControllerProcess(cluster.kubeconfig)
  try {
    await cluster.ask()
    const solvers = new Set<number>()
    await until(
      () => `no solver was started; ${controller.log}`,
      () => {
        for (const pid of controller.children) solvers.add(pid)
        return solvers.size > 0
      },
      patienceMs,
      5,
    )
    controller.kill('SIGKILL')
    await controller.ended
    await until(
      () => `the solver ${[...solvers].join()} runs`,
      () => ![...solvers].some(runs),
      patienceMs,
    )
  } finally {
    controller.kill('SIGKILL')
  }
})
