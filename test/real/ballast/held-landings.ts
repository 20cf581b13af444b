// The hold gate through a webhook that the real API server calls, its process killed in mid-wave: after a pod was evicted and before its
// replacement is made. With one replica that pod comes ungated; with two the other answers for it.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { setTimeout as pause } from 'node:timers/promises'
import tables from '../../../examples/talos-homelab/expect/tables.json' with { type: 'json' }
import type { ControllerProcess } from '../../controller-process.ts'
import { openChecker } from '../../independent-checker.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { eventually } from './example-cluster.ts'
import {
  end,
  follow,
  judgeTraces,
  landings,
  lastOf,
  listOf,
  openSite,
  type PlanObject,
  paths,
  type Site,
  taints,
  told,
} from './site.ts'
import type { PodObject } from './tiny-kubelet.ts'
import { openWebhookFront } from './webhook-front.ts'

interface GatedPod extends PodObject {
  readonly spec: PodObject['spec'] & { readonly schedulingGates?: readonly { readonly name: string }[] }
}

interface LeaseObject {
  readonly spec: { readonly holderIdentity?: string }
}

/** By then the API server has noticed that its connections to a dead replica are closed. */
const noticedMs = 1_000
/** After so many landings each time. */
const killsAt = { one: [3, 7], two: [5] } as const

/** So long the controllers are halted for one move. */
const haltedMs = 10_000
/** By then what the controllers asked for before they were halted is done. */
const settledMs = 1_000
/** A budget that has not seen a pod go may hold the next move for two minutes. */
const midMoveLimitMs = 300_000

/** Reaches the example's goals though the leader is killed between an eviction and the pod that follows. */
export async function heldThroughKills(replicas: 'one' | 'two'): Promise<string> {
  await using site = await openSite('1.36')
  await using fleet = replicas === 'one' ? openSingle(site) : await openPair(site)
  const checker = await openChecker(site.transport)
  const killed: string[] = []
  const ended = await follow(site, async plans => {
    site.look(...fleet.running)
    const at = killsAt[replicas][killed.length]
    if (at !== undefined && landings(plans).length >= at) killed.push(await killInMidMove(site, fleet))
    return fleet.running.map(({ log }) => log).join('\n')
  })
  strictEqual(killed.length, killsAt[replicas].length)
  for (const controller of fleet.running) await end(site, controller)
  const judgement = await checker.judge()
  strictEqual(lastOf(ended)?.status?.conditions?.find(({ type }) => type === 'GoalsMet')?.status, 'True', told(ended))
  const steps = ended.flatMap(({ status }) => status?.steps ?? [])
  const strays = steps.filter(({ reason }) => reason === 'LandingNotHeld')
  const { requests, evictions, permits } = await judgeTraces(site, judgement, strays.length)
  deepStrictEqual(
    steps.filter(({ state, reason }) => state === 'Mismatch' && reason !== 'LandingNotHeld'),
    [],
  )
  const landed = landings(ended)
  const done = new Set([...landed, ...strays])
  const surges = ended
    .flatMap(({ spec, status }) => spec.moves.filter(({ id }) => status?.steps?.some(step => step.id === id && done.has(step))))
    .filter(({ action }) => action === 'surge')
  // Each landing without the gate is put right by one more move, and nothing else is moved.
  strictEqual(evictions.length + surges.length, tables.plan.moves + strays.length, stepByStep(ended, evictions))
  strictEqual(landed.length, tables.plan.moves, told(ended))
  if (replicas === 'two') deepStrictEqual(strays, [])
  const control = judgement.nodes.get('talos00')?.millicores ?? 0
  const target = judgement.nodes.get('talos03')?.millicores ?? 0
  ok(control * 100 < 70 * 7950, `talos00: ${control} millicores of 7950`)
  ok(target * 100 > 30 * 15_950, `talos03: ${target} millicores of 15950`)
  deepStrictEqual(await taints(site.client), [])
  return [
    `${landed.length} moves landed in ${ended.length} plan(s)`,
    `${evictions.length} evictions`,
    `killed in mid-move ${killed.length} time(s): ${killed.join('; ')}`,
    `${strays.length} landings without the gate, put right`,
    `${permits.length} permits`,
    `${requests.length} requests, no 403`,
    `${judgement.events} pod events, no budget broken`,
    `talos00 ${Math.trunc((100 * control) / 7950)} %, talos03 ${Math.trunc((100 * target) / 15_950)} %`,
  ].join(', ')
}

/** What each plan did to each pod, and what was evicted. */
function stepByStep(plans: readonly PlanObject[], evictions: readonly string[]): string {
  const steps = plans.flatMap(({ metadata, spec, status }) =>
    spec.moves.map(({ id, action, pod }) => {
      const step = status?.steps?.find(one => one.id === id)
      return `${metadata.name} ${id} ${action} ${pod.name}: ${step?.state} ${step?.landedOn ?? ''} ${step?.reason ?? ''} ${step?.message ?? ''}`
    }),
  )
  return [told(plans), ...steps, ...evictions].join('\n')
}

interface Fleet extends AsyncDisposable {
  /** Those that were not killed: one that ends by itself fails the check. */
  readonly running: readonly ControllerProcess[]
  /** Kills the one that leads. */
  killLeader(): Promise<void>
  /** What follows once the replacement is there. */
  recover(): Promise<void>
}

function openSingle(site: Site): Fleet {
  let running = [site.startController('hold')]
  return {
    get running() {
      return running
    },
    async killLeader() {
      await kill(running)
      running = []
    },
    async recover() {
      running = [site.startController('hold')]
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}

async function kill(controllers: readonly ControllerProcess[]): Promise<void> {
  for (const controller of controllers) {
    controller.kill('SIGKILL')
    await controller.ended
  }
}

/** Two replicas behind one address. They share a certificate through their Secret. */
async function openPair(site: Site): Promise<Fleet> {
  await using opening = new AsyncDisposableStack()
  const ports = [await freePort(), await freePort()]
  const front = opening.use(await openWebhookFront(ports))
  const start = (port: number) =>
    site.startController('hold', [...['--webhook-host', `127.0.0.1:${front.port}`, '--webhook-port', String(port)]])
  const leader = start(ports[0] ?? 0)
  await eventually('somebody leads', async () => ((await holder(site)) === undefined ? undefined : true))
  const before = await holder(site)
  const standby = start(ports[1] ?? 0)
  const resources = opening.move()
  let running = [leader, standby]
  return {
    get running() {
      return running
    },
    async killLeader() {
      ok((await holder(site)) === before)
      await kill([leader])
      running = [standby]
      // The first call on a connection that the API server has kept to the dead one may be lost with it: that pod comes ungated.
      await pause(noticedMs)
    },
    async recover() {
      ok((front.served.get(ports[1] ?? 0) ?? 0) > 0, 'nobody asked the standby')
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/**
 * Kills the leader while a pod is gone and not replaced; yields what became of the replacement. Controllers that are halted replace
 * nothing, but count no budget and roll nothing out either, for which the next move may wait: then they go on until pods have changed.
 */
async function killInMidMove(site: Site, fleet: Fleet): Promise<string> {
  const untilMs = Date.now() + midMoveLimitMs
  for (;;) {
    const resume = site.plane.haltControllers()
    let left: ReadonlySet<string> | undefined
    try {
      left = await leftInMidMove(site, fleet)
      if (left !== undefined) await fleet.killLeader()
    } finally {
      resume()
    }
    if (left !== undefined) return await recovered(site, fleet, left)
    ok(Date.now() < untilMs, `no pod was caught in mid-move; ${told(await listOf<PlanObject>(site.client, paths.plans))}`)
    const before = uids(site)
    await eventually('pods change', () => (uids(site).symmetricDifference(before).size > 0 ? true : undefined), midMoveLimitMs)
  }
}

/** With the controllers halted: the pods that are left once one is evicted and nothing stands for it; undefined where no move comes so far. */
async function leftInMidMove(site: Site, fleet: Fleet): Promise<ReadonlySet<string> | undefined> {
  const untilMs = Date.now() + haltedMs
  let goneSinceMs: number | undefined
  while (Date.now() < untilMs) {
    site.look(...fleet.running)
    if (!isPodGone(site)) goneSinceMs = undefined
    else goneSinceMs ??= Date.now()
    if (goneSinceMs !== undefined && Date.now() - goneSinceMs >= settledMs) return uids(site)
    await pause(50)
  }
  return undefined
}

function isPodGone({ plane, kubelet, podCount }: Site): boolean {
  const evicted = plane.answered().findLast(({ path, code }) => path.endsWith('/eviction') && code === 201)
  const evictionPath = ({ metadata }: PodObject) => `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/eviction`
  const isThere = [...kubelet.pods.values()].some(pod => evictionPath(pod) === evicted?.path)
  return evicted !== undefined && !isThere && kubelet.pods.size < podCount
}

async function recovered(site: Site, fleet: Fleet, left: ReadonlySet<string>): Promise<string> {
  const replacement = await eventually('the pod is replaced', () =>
    [...site.kubelet.pods.values()].find(({ metadata }) => !left.has(metadata.uid)),
  )
  const { schedulingGates = [] } = (replacement as GatedPod).spec
  await fleet.recover()
  return `${replacement.metadata.name} came ${schedulingGates.length > 0 ? 'gated' : 'without its gate'}`
}

const uids = ({ kubelet }: Site): ReadonlySet<string> => new Set(kubelet.pods.keys())

async function holder({ client }: Site): Promise<string | undefined> {
  const { status, body } = await client.send('GET', paths.lease)
  const name = status === 200 ? (body as LeaseObject).spec.holderIdentity : undefined
  return name === '' ? undefined : name
}
