// A leader of its own process that is stopped in the midst of its effects: it stops itself after so many turns of its event loop, and its
// parent has it go on. For each seed it says on standard output when it stops, and what became of its effects.
import { writeSync } from 'node:fs'
import type { EffectContext } from '#coordination/effects/effect-context.ts'
import { evict } from '#coordination/effects/evict.ts'
import { restart } from '#coordination/effects/restart.ts'
import { setTaint } from '#coordination/effects/taint.ts'
import type { Target } from '#coordination/intent.ts'
import { openApi } from '#kube/client/api.ts'
import { NotSentError } from '#kube/client/connection-error.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import type { Transport } from '#kube/client/transport.ts'
import { hostClock, systemClock } from '#kube/clock.ts'
import type { ClusterConfig } from '#kube/credentials/cluster-config.ts'
import { type Leader, LeaseElection } from '#kube/leases/lease.ts'
import { type Random, seededRandom } from '#kube/random.ts'
import { grantedPermit, startMs } from '../src/coordination/testdata/scripted-api.ts'

/** What the parent hands over. */
export interface StoppedLeaderTask {
  /** Without a path: each run has one of its own. */
  readonly server: string
  readonly tokenFile: string
  readonly seeds: readonly number[]
  /** How fast this process's time goes. */
  readonly speed: number
  /** False: what guards a request is thrown away, to see that the judge would notice. */
  readonly isGuarded: boolean
}

/** What became of the effects of one seed. */
export interface StoppedLeaderEnd {
  readonly seed: number
  readonly done: number
  readonly notSent: number
  readonly others: readonly string[]
}

const effectsInARun = 30

function configOf({ server, tokenFile }: StoppedLeaderTask, seed: number): ClusterConfig {
  return {
    server: `${server}/run-${seed}`,
    tls: { authority: undefined, serverName: undefined, isInsecure: true, clientCertificate: undefined, clientKey: undefined },
    auth: { kind: 'tokenFile', path: tokenFile, fallback: undefined },
    impersonate: undefined,
    namespace: 'default',
    proxyUrl: undefined,
    disableCompression: false,
    source: 'test',
    warnings: [],
  }
}

function unguarded(inner: Transport): Transport {
  return {
    request: ({ guard: _, ...request }) => inner.request(request),
    stream: request => inner.stream(request),
    close: () => inner.close(),
  }
}

/** The effects at once: evictions, taints and rollouts, each under a permit of its own. */
function act(context: EffectContext, random: Random, signal: AbortSignal): readonly Promise<unknown>[] {
  return Array.from({ length: effectsInARun }, (_, index) => {
    const name = `x${index}`
    const named = { namespace: 'shop', name, uid: `uid-${name}` }
    const choice = random()
    const permit = (targets: readonly Target[], verb: 'evict' | 'taint' | 'restart') =>
      grantedPermit({ context }, { targets, verb })
    if (choice < 0.5) {
      const pod = { apiVersion: 'v1', kind: 'Pod', ...named }
      return evict(context, permit([pod], 'evict'), pod, signal)
    }
    if (choice < 0.75) {
      const taint = { key: 'ballast.dev/rebalance', value: 'p', effect: 'NoSchedule' }
      const node = { apiVersion: 'v1', kind: 'Node', name }
      return setTaint(context, permit([node], 'taint'), { node: name, taint }, signal)
    }
    const workload = { apiVersion: 'apps/v1', kind: 'Deployment', ...named }
    return restart(context, permit([workload], 'restart'), workload, signal)
  })
}

/** So many turns of each kind, by chance. */
async function turns(random: Random): Promise<void> {
  await systemClock.after(Math.floor(random() * 120))
  for (let left = Math.floor(random() * 4); left > 0; left--) await new Promise(resolve => setImmediate(resolve))
  for (let left = Math.floor(random() * 12); left > 0; left--) await undefined
}

async function run(task: StoppedLeaderTask, seed: number): Promise<StoppedLeaderEnd> {
  const random = seededRandom(seed)
  const clock = hostClock({ speed: task.speed, startMs })
  const wire = openHttpTransport(configOf(task, seed), { clock, random })
  const bucket = { perSecond: [0, 0.5, 2, 10][Math.floor(random() * 4)] ?? 0, burst: [1, 4, 64][Math.floor(random() * 3)] ?? 1 }
  const api = openApi(task.isGuarded ? wire : unguarded(wire), { clock, userAgent: 'test', bucket })
  const election = new LeaseElection({ api, namespace: 'b', name: 'controller', identity: 'a', clock, random })
  const over = new AbortController()
  const won = Promise.withResolvers<Leader>()
  const standing = election.run(async leader => {
    won.resolve(leader)
    await new Promise<void>(resolve => leader.signal.addEventListener('abort', () => resolve(), { once: true }))
  }, over.signal)
  const leader = await won.promise
  const context = { api: api.under(() => leader.assert()), clock, leadership: leader }
  const settled = Promise.allSettled(act(context, random, over.signal))
  await turns(random)
  writeSync(1, `stop ${seed}\n`)
  process.kill(process.pid, 'SIGSTOP')
  const ends = await settled
  const failed = ends.flatMap(end => (end.status === 'rejected' ? [end.reason] : []))
  const others = failed.filter(reason => !(reason instanceof NotSentError)).map(String)
  over.abort(new Error('the run is over'))
  await standing
  await api.close()
  return { seed, done: ends.length - failed.length, notSent: failed.length - others.length, others }
}

const task: StoppedLeaderTask = JSON.parse(process.argv[2] ?? '{}')
for (const seed of task.seeds) {
  const end = await run(task, seed)
  writeSync(1, `end ${JSON.stringify(end)}\n`)
}
