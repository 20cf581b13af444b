// What a twin tells of itself: `/metrics` for collectors, `/debug/twin` for people.
import type { Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { PacedClock } from '#kube/time/paced-clock.ts'
import { formatTime } from '#kube/time/time.ts'
import type { ClusterAccess } from '../access.ts'
import { type MetricLine, metricFamily } from '../api/answers/metric-text.ts'
import type { ApiServer } from '../api/api-server.ts'
import type { PullRecord } from '../components/kubelets/image-pulls.ts'
import type { Components } from '../components.ts'
import type { Faults } from '../faults/faults.ts'
import { textAt } from '../json-value.ts'
import { RequestCounts } from './request-counts.ts'

interface ObserverParts {
  readonly server: ApiServer
  readonly access: ClusterAccess
  readonly faults: Faults
  readonly components: () => Components | undefined
}

/** How much of what still moves is shown. */
const shownMoves = 50

export class TwinObserver implements Disposable {
  readonly requests = new RequestCounts()
  readonly #parts: ObserverParts
  readonly #stop: () => void
  #bindings = 0

  constructor(parts: ObserverParts) {
    this.#parts = parts
    this.#stop = parts.access.subscribe('pods', ({ object, previous }) => {
      if (previous !== undefined && nodeOf(previous) === '' && nodeOf(object) !== '') this.#bindings++
    })
  }

  [Symbol.dispose](): void {
    this.#stop()
  }

  /** In Prometheus' text format. */
  metrics(): string {
    const { server, access, faults } = this.#parts
    const { clock, store } = server
    const objects = access.resources().map(resource => ({ labels: { resource }, value: store.count(resource) }))
    const present = objects.filter(line => line.value > 0)
    const watchers = this.#watchers()
    const durations = this.requests.durations()
    const one = (value: number): readonly MetricLine[] => [{ labels: {}, value }]
    const counted = (lines: readonly { readonly labels: MetricLine['labels']; readonly count: number }[]) =>
      lines.map(({ labels, count }) => ({ labels, value: count }))
    return [
      metricFamily(
        'apiserver_longrunning_requests',
        'Watches that are open.',
        'gauge',
        watchers.map(({ labels, value }) => ({ labels: { verb: 'WATCH', ...labels }, value })),
      ),
      histogram('apiserver_request_duration_seconds', 'Response latency distribution in seconds.', [
        ['bucket', counted(durations.bucket)],
        ['sum', counted(durations.sum)],
        ['count', counted(durations.count)],
      ]),
      metricFamily(
        'apiserver_request_total',
        'Requests by verb, resource and code; code 0 for a connection that a fault broke.',
        'counter',
        counted(this.requests.totals()),
      ),
      metricFamily('apiserver_storage_objects', 'Number of stored objects by resource.', 'gauge', present),
      metricFamily('ballast_twin_bindings_total', 'Pods that were bound to a node.', 'counter', one(this.#bindings)),
      metricFamily(
        'ballast_twin_clock_lag_seconds',
        "How far the cluster's work is behind its clock.",
        'gauge',
        one(lagMs(clock) / 1000),
      ),
      metricFamily('ballast_twin_clock_seconds', "The cluster's time, seconds since 1970.", 'gauge', one(clock.now() / 1000)),
      metricFamily(
        'ballast_twin_faults_fired_total',
        'How often each fault that is set did what it does.',
        'counter',
        faults.list().map(({ name, fired }) => ({ labels: { fault: name }, value: fired })),
      ),
      metricFamily(
        'ballast_twin_image_pull_bytes_total',
        'Bytes of the images that nodes pulled, by where they came from.',
        'counter',
        pulledBytes(this.#parts.components()?.imagePulls ?? []),
      ),
      metricFamily('ballast_twin_objects', 'Objects in the store by resource.', 'gauge', present),
      metricFamily('ballast_twin_revision', 'Revision of the last write.', 'gauge', one(store.revision)),
      metricFamily('ballast_twin_watchers', 'Watches that are open by resource.', 'gauge', watchers),
    ].join('')
  }

  /** A page of text: clock, what moves, faults, watches. */
  page(): string {
    const { server, faults } = this.#parts
    const { clock, store } = server
    const components = this.#parts.components()
    const moving = components?.moving() ?? []
    const steered =
      clock instanceof PacedClock ? `, ${clock.isPaused ? 'paused' : `speed ${clock.pace}`}, ${clock.pending} timers` : ''
    return [
      `clock    ${formatTime(clock.now())}${steered}`,
      `store    revision ${store.revision}, history from ${store.compactedRevision}`,
      `cluster  ${components === undefined ? 'not simulated' : components.isSettled ? 'settled' : `${moving.length} things move`}`,
      ...moving.slice(0, shownMoves).map(text => `         ${text}`),
      ...(moving.length > shownMoves ? [`         and ${moving.length - shownMoves} more`] : []),
      `faults   ${faults.list().length}`,
      ...faults.list().map(({ name, fault, fired }) => `         ${name}: ${fault.effect.kind}, fired ${fired}`),
      `watches  ${this.#watchers().reduce((sum, line) => sum + line.value, 0)}`,
      ...this.#watchers().map(({ labels, value }) => `         ${labels['resource']}: ${value}`),
      '',
    ].join('\n')
  }

  #watchers(): readonly (MetricLine & { readonly value: number })[] {
    const counts = new Map<string, number>()
    for (const { group, resource } of this.#parts.faults.watches()) {
      const name = group === '' ? resource : `${resource}.${group}`
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    return [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([resource, value]) => ({ labels: { resource }, value }))
  }
}

function histogram(name: string, help: string, parts: readonly (readonly [string, readonly MetricLine[]])[]): string {
  if (parts.every(([, lines]) => lines.length === 0)) return ''
  const body = parts.map(([ending, lines]) => metricFamily(`${name}_${ending}`, '', 'counter', lines).replace(/^(?:#.*\n)+/, ''))
  return `# HELP ${name} ${help}\n# TYPE ${name} histogram\n${body.join('')}`
}

function lagMs(clock: Clock): number {
  return clock instanceof PacedClock ? clock.lagMs : 0
}

function nodeOf(pod: KubeObject): string {
  return textAt(pod, 'spec', 'nodeName') ?? ''
}

function pulledBytes(pulls: readonly PullRecord[]): readonly MetricLine[] {
  const bytes = new Map<string, number>()
  for (const pull of pulls) bytes.set(pull.source, (bytes.get(pull.source) ?? 0) + pull.bytes)
  return [...bytes].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([source, value]) => ({ labels: { source }, value }))
}
