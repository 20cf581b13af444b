// What 500 rollouts that are asked for together cost: judged one after the other, written as one permit, ended as one. Run it alone:
// `node bench/together.ts`.

import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { Arbiter } from '#coordination/arbiter/arbiter.ts'
import { ClusterView } from '#coordination/facts/cluster-view.ts'
import { onlyOf, viewNeedsOf } from '#coordination/facts/view-needs.ts'
import { ClusterObserver } from '#coordination/observed/cluster-observer.ts'
import { Ledger } from '#coordination/permits/ledger.ts'
import { type ArbitrationMode, defaultPolicy } from '#coordination/policy/arbiter-policy.ts'
import { reloadOf, web } from '#coordination/testdata/fleet.ts'
import { HandFedInformers } from '#coordination/testdata/hand-fed-informers.ts'
import { PermitServer } from '#coordination/testdata/permit-server.ts'
import { systemClock } from '#kube/clock.ts'
import { EventRecorder } from '#kube/events/events.ts'
import { silentLog } from '#kube/log.ts'
import { seededRandom } from '#kube/random.ts'
import type { Figure } from './scheduler-model.ts'

const { signal } = new AbortController()
const workloads = 2_000
const asked = 500
const rounds = 5
const most = 100

const resourceOfKind: Readonly<Record<string, string>> = { Deployment: 'deployments', ReplicaSet: 'replicasets', Pod: 'pods' }

async function figuresOf(mode: ArbitrationMode): Promise<readonly Figure[]> {
  const server = new PermitServer()
  const api = server.api()
  const { clock } = server
  const informers = new HandFedInformers(systemClock)
  const modes = { reload: mode }
  const needs = viewNeedsOf([{ name: 'reload', disrupts: ['restart'] }], modes)
  const view = new ClusterView(informers, systemClock, needs)
  for (let at = 0; at < workloads; at++)
    for (const object of web(at)) informers.store(resourceOfKind[object.kind] ?? '').upsert(object)
  await view.snapshot(signal)
  const permits = server.informer()
  const ledger = new Ledger({ api, permits, leadership: server.leadership(), clock, log: silentLog, namespace: 'ballast-system' })
  const seen = onlyOf(informers, needs)
  const observer = new ClusterObserver({ informers: seen, view, clock, log: silentLog, ledger: () => ledger.view })
  const arbiter = new Arbiter({
    ledger,
    state: () => view.state(),
    watches: of => view.watches(of),
    policy: () => ({ ...defaultPolicy, modes }),
    ownerLabel: defaultOwnerLabel,
    ownNamespace: 'ballast-system',
    events: new EventRecorder(api, { clock, random: seededRandom(1), controller: 'bench', instance: 'bench' }),
    observed: () => observer.observations(),
    signals: () => observer.signals(),
    clock,
    log: silentLog,
  })
  await arbiter.takeOver(signal)
  const grants: number[] = []
  const ends: number[] = []
  const writes = server.writes.length
  for (let round = 0; round < rounds; round++) {
    const intents = Array.from({ length: asked }, (_, at) =>
      reloadOf(at, { idempotencyKey: `${round}/${at}`, deadlineMs: clock.now() + 900_000 }),
    )
    const startMs = systemClock.elapsed()
    const replies = await arbiter.requestTogether(intents, signal)
    const grantedMs = systemClock.elapsed()
    const granted = replies.flatMap(reply => (reply.kind === 'granted' ? [reply.permit.record] : []))
    if (granted.length !== asked) throw new Error(`${granted.length} of ${asked} were granted in ${mode}`)
    await Promise.all(granted.map(record => arbiter.release(record, { ending: 'done', reason: 'patched' }, signal)))
    grants.push(grantedMs - startMs)
    ends.push(systemClock.elapsed() - grantedMs)
    await clock.advance(600_000)
  }
  const best = (list: readonly number[]) => Math.min(...list)
  return [
    { name: `${asked} rollouts together in ${mode}: judged and written`, value: best(grants), unit: `ms (at most ${most})` },
    { name: `${asked} rollouts together in ${mode}: ended`, value: best(ends), unit: 'ms' },
    { name: `${asked} rollouts together in ${mode}: writes`, value: (server.writes.length - writes) / rounds, unit: 'a round' },
  ]
}

export async function togetherFigures(): Promise<readonly Figure[]> {
  return [...(await figuresOf('observe')), ...(await figuresOf('coordinate'))]
}

if (import.meta.main) {
  for (const { name, value, unit } of await togetherFigures()) process.stdout.write(`${name}: ${value.toFixed(2)} ${unit}\n`)
}
