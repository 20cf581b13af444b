// What states of 5,000 nodes and 150,000 pods cost, with a view over real stores: the first one, and then ten a second while 1,000 pods a
// second change. Run it alone: `node bench/snapshot.ts`.

import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { buildClusterState, type ClusterState } from '#cluster/cluster-state.ts'
import { ClusterView, clusterNeeds } from '#coordination/facts/cluster-view.ts'
import { HandFedInformers } from '#coordination/testdata/hand-fed-informers.ts'
import { systemClock } from '#kube/clock.ts'
import { seededRandom } from '#kube/random.ts'
import { bigCluster, nodeOf, objectsOf, podOf } from './big-cluster.ts'
import type { Figure } from './scheduler-model.ts'

const podCount = bigCluster.workloads * bigCluster.replicas
const changesEach10Ms = 10
/** Where the machine was busy with others, changes come later, not all at once. */
const mostAtOnce = 30
const snapshotEachMs = 100
const lastsMs = 10_000
const longestBlockMs = 50
const keptSnapshots = 20

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

function heapBytes(): number {
  collectGarbage()
  collectGarbage()
  return process.memoryUsage().heapUsed
}

/** What this thread worked since, in ms: what others did on the machine meanwhile does not count. */
function threadMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(since)
  return (user + system) / 1000
}

interface Blocks {
  /** By the clock: on a busy machine others' work counts too. */
  readonly loopMs: number
  /** What this thread worked between two turns. */
  readonly workMs: number
  /** One garbage collection. */
  readonly garbageMs: number
}

/** The longest times that the event loop did not turn while `work` ran. */
async function blocksDuring(work: () => Promise<void>): Promise<Blocks> {
  let garbageMs = 0
  let workMs = 0
  let isOver = false
  const observer = new PerformanceObserver(list => {
    for (const { duration } of list.getEntries()) garbageMs = Math.max(garbageMs, duration)
  })
  const loop = monitorEventLoopDelay({ resolution: 1 })
  await systemClock.after(50)
  observer.observe({ entryTypes: ['gc'] })
  const watched = (async () => {
    for (let cpu = process.threadCpuUsage(); !isOver; cpu = process.threadCpuUsage()) {
      await systemClock.after(1)
      workMs = Math.max(workMs, threadMs(cpu))
    }
  })()
  loop.enable()
  await work()
  await systemClock.after(50)
  loop.disable()
  observer.disconnect()
  isOver = true
  await watched
  return { loopMs: loop.max / 1e6, workMs, garbageMs }
}

function blockFigures(prefix: string, { loopMs, workMs, garbageMs }: Blocks): readonly Figure[] {
  return [
    { name: `${prefix}longest block of the event loop, work`, value: workMs, unit: `ms (at most ${longestBlockMs})` },
    {
      name: `${prefix}longest block of the event loop, by the clock`,
      value: loopMs,
      unit: 'ms (others on the machine included)',
    },
    { name: `${prefix}longest garbage collection`, value: garbageMs, unit: 'ms' },
  ]
}

/** Stores as informers keep them, filled. */
function filledInformers(): HandFedInformers {
  const informers = new HandFedInformers(systemClock)
  for (const need of clusterNeeds) informers.of(need, need.fields === undefined ? {} : { fields: need.fields })
  for (const [resource, object] of objectsOf(bigCluster)) informers.store(resource).upsert(object)
  return informers
}

/** Pods that turn ready and unready, go and come again, and now and then the status of a node. */
class Changes {
  readonly #informers: HandFedInformers
  readonly #random = seededRandom(11)
  #version = 1

  constructor(informers: HandFedInformers) {
    this.#informers = informers
  }

  next(): void {
    const version = ++this.#version
    const pods = this.#informers.store('pods')
    const chance = this.#random()
    if (chance < 0.02) {
      this.#informers.store('nodes').upsert(nodeOf(Math.floor(this.#random() * bigCluster.nodes), version))
      return
    }
    const workload = Math.floor(this.#random() * bigCluster.workloads)
    const replica = Math.floor(this.#random() * bigCluster.replicas)
    const pod = podOf(bigCluster, workload, replica, version, chance < 0.5)
    if (chance < 0.9) pods.upsert(pod)
    else pods.remove(pod)
  }
}

/** As a decision does: one pod, its node's, its workload's. */
function ask(state: ClusterState, at: number): number {
  const pod = state.podsOn(`node-${at % bigCluster.nodes}`)[0]
  return state.podsOf(pod?.workload?.uid ?? '').length + (state.pods.get(pod?.key ?? '') === undefined ? 0 : 1)
}

async function changing(informers: HandFedInformers, view: ClusterView): Promise<readonly Figure[]> {
  const changes = new Changes(informers)
  const costs: number[] = []
  const derivedBefore = view.counts.derived
  let told = 0
  const blocks = await blocksDuring(async () => {
    const startMs = systemClock.elapsed()
    let nextSnapshotMs = 0
    for (let elapsedMs = 0; elapsedMs < lastsMs; elapsedMs = systemClock.elapsed() - startMs) {
      const due = Math.min((elapsedMs / 10) * changesEach10Ms, told + mostAtOnce)
      for (; told < due; told++) changes.next()
      if (elapsedMs >= nextSnapshotMs) {
        nextSnapshotMs += snapshotEachMs
        costs.push(milliseconds(() => ask(view.state(), told)))
      }
      await systemClock.after(10)
    }
  })
  costs.sort((a, b) => a - b)
  const at = (share: number) => costs[Math.min(costs.length - 1, Math.floor(costs.length * share))] ?? 0
  return [
    ...blockFigures('', blocks),
    { name: 'a state, handed out and asked: p50', value: at(0.5), unit: 'ms' },
    { name: 'a state, handed out and asked: p99', value: at(0.99), unit: 'ms' },
    { name: 'a state, handed out and asked: longest', value: at(1), unit: `ms (at most ${longestBlockMs})` },
    { name: 'changes', value: told / (lastsMs / 1000), unit: 'a second' },
    { name: 'pods derived for each change', value: (view.counts.derived - derivedBefore) / told, unit: '(at most 1)' },
  ]
}

/** What one state more keeps alive that its neighbours do not, 100 changes apart. */
function keptBytes(informers: HandFedInformers, view: ClusterView): number {
  const changes = new Changes(informers)
  const kept: ClusterState[] = []
  const next = () => {
    for (let at = 0; at < 100; at++) changes.next()
    return view.state()
  }
  next()
  const before = heapBytes()
  for (let at = 0; at < keptSnapshots; at++) kept.push(next())
  const withAll = heapBytes()
  // Objects of pods that changed are kept alive by the states that have them: that is what keeping a state means.
  return kept.length === keptSnapshots ? (withAll - before) / keptSnapshots : 0
}

function milliseconds(work: () => unknown): number {
  const startMs = systemClock.elapsed()
  work()
  return systemClock.elapsed() - startMs
}

export async function snapshotFigures(): Promise<readonly Figure[]> {
  const empty = heapBytes()
  const informers = filledInformers()
  const filled = heapBytes()
  const cpu = process.cpuUsage()
  let view: ClusterView | undefined
  const first = await blocksDuring(async () => {
    view = new ClusterView(informers, systemClock)
    await view.snapshot(new AbortController().signal)
  })
  if (view === undefined) throw new Error('there is no view')
  const { user, system } = process.cpuUsage(cpu)
  const derived = heapBytes()
  using current = view
  const size = `${bigCluster.nodes} nodes, ${podCount} pods`
  const figures: readonly Figure[] = [
    { name: 'objects in the stores', value: (filled - empty) / podCount / 1024, unit: 'KiB a pod' },
    { name: 'what the state adds', value: (derived - filled) / podCount, unit: 'bytes a pod' },
    { name: 'first state', value: (user + system) / 1e6, unit: 's of CPU' },
    ...blockFigures('first state: ', first),
    ...(await changing(informers, current)),
    { name: 'a state that is kept, 100 changes on', value: keptBytes(informers, current) / 1024, unit: 'KiB' },
    { name: 'going through all pods', value: milliseconds(() => Array.from(current.state().pods.values())), unit: 'ms' },
    { name: 'the same state built from scratch', value: milliseconds(() => buildClusterState(informers.objects())), unit: 'ms' },
  ]
  return figures.map(figure => ({ ...figure, name: `${size}: ${figure.name}` }))
}

if (import.meta.main) {
  for (const { name, value, unit } of await snapshotFigures()) process.stdout.write(`${name}: ${value.toFixed(2)} ${unit}\n`)
}
