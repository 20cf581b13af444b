// Kubelets are asked, points are kept, and metrics.k8s.io is answered from them: the same for the part of `ballast apiserver` and for the
// process that stands in metrics-server's place.
import type { Registry } from 'prom-client'
import type { UsageSource } from '#coordination/ports/usage.ts'
import type { Clock } from '#kube/clock.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Log } from '#kube/log.ts'
import { at, numberAt } from '#kube/objects/object-fields.ts'
import type { Node, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { Selector } from '#kube/objects/selector.ts'
import type { AggregatedApi } from '#kube/server/aggregated-api.ts'
import type { HealthCheck } from '#kube/server/health.ts'
import { pathAnnotation } from './names.ts'
import { type PointRules, Points } from './points/points.ts'
import type { AddressRules } from './scrape/kubelet-address.ts'
import type { KubeletClient } from './scrape/kubelet-client.ts'
import { scrapeMetrics } from './scrape/scrape-metrics.ts'
import { type ScrapedNode, Scraper } from './scrape/scraper.ts'
import { metricsApi } from './served/metrics-api.ts'
import type { Exposed } from './served/metrics-objects.ts'
import { usageSource } from './served/usage-source.ts'
import type { SharedNodes } from './sharing/shared-nodes.ts'

interface MeasuringSettings {
  readonly points: PointRules
  readonly address: AddressRules
  readonly nodeSelector: Selector
  readonly exposed: Exposed
  /** Field selector of the watch of pods, where it is not shared with others who want all of them. */
  readonly watchedPods?: string
}

interface MeasuringOptions {
  readonly settings: MeasuringSettings
  readonly informers: Informers
  readonly client: Pick<KubeletClient, 'scrape'> & Partial<Pick<KubeletClient, 'storage' | 'forget'>>
  readonly clock: Clock
  readonly log: Log
  readonly registry: Registry
  /** Where it is told of nodes whose annotation is refused. */
  readonly events: Pick<EventRecorder, 'emit'>
  /** Absent: every replica asks all, as upstream's does. */
  readonly shares?: SharedNodes | undefined
}

/** A tick that takes longer than so many resolutions has hung. */
const hungResolutions = 1.5

export class Measuring {
  readonly points: Points
  readonly scraper: Scraper
  readonly api: AggregatedApi
  /** The same for whoever is in this process. */
  readonly usage: UsageSource
  readonly #options: MeasuringOptions
  readonly #nodes: Informer<Node>
  readonly #pods: Informer<Pod>

  constructor(options: MeasuringOptions) {
    const { settings, informers, clock, registry } = options
    this.#options = options
    this.#nodes = informers.of<Node>(builtIn.nodes)
    this.#pods = informers.of<Pod>(
      builtIn.pods,
      settings.watchedPods === undefined ? {} : { fieldSelector: settings.watchedPods },
    )
    this.points = new Points(settings.points)
    const metrics = scrapeMetrics(registry, settings.points.resolutionMs)
    this.scraper = new Scraper({
      nodes: () => this.#scraped(),
      client: options.client,
      exposeStorage: settings.exposed.storage,
      points: this.points,
      address: settings.address,
      resolutionMs: settings.points.resolutionMs,
      clock,
      log: options.log,
      metrics,
      shares: options.shares,
      onRefusedPath: (node, path) => this.#refusePath(node, path),
    })
    options.shares?.begin({
      isMeasured: name => {
        const node = this.#nodes.store.get(undefined, name)
        return node !== undefined && settings.nodeSelector.matches(node.metadata.labels ?? {})
      },
      ageMs: name => this.points.ageMs(name, clock.elapsed()),
      take: (...read) => this.scraper.take(...read),
    })
    const source = {
      nodes: this.#nodes,
      pods: this.#pods,
      points: this.points,
      nodeSelector: settings.nodeSelector,
      exposed: settings.exposed,
      clock,
    }
    this.api = metricsApi({ ...source, onServed: age => metrics.freshness.observe(age) })
    this.usage = usageSource({ ...source, scraper: this.scraper, resolutionMs: settings.points.resolutionMs })
  }

  /** Whether the watches have been read, so that the first tick knows whom to ask. */
  get isSynced(): boolean {
    return this.#nodes.isSynced && this.#pods.isSynced
  }

  /** All nodes that there are, whoever is asked of them; undefined until that is known. */
  get knownNodes(): readonly string[] | undefined {
    return this.#nodes.isSynced ? [...this.#nodes.store.list()].map(({ metadata }) => metadata.name) : undefined
  }

  /** Scrapes until `signal`. @throws `signal.reason` */
  async run(signal: AbortSignal): Promise<void> {
    const { informers } = this.#options
    // What else this process watches keeps nothing from being measured.
    for (const informer of [this.#nodes, this.#pods]) await informers.settled(informer, signal)
    await this.scraper.run(signal)
  }

  /** What upstream's probes are called, in its order. */
  readinessChecks(): readonly HealthCheck[] {
    const { nodes, containers } = this.points.servable
    const unsynced = (informer: { readonly isSynced: boolean }, what: string) =>
      informer.isSynced ? undefined : `cache for ${what} informer has not synced`
    return [
      {
        name: 'metric-storage-ready',
        check: () => (nodes > 0 && containers > 0 ? undefined : 'no metrics to serve'),
      },
      { name: 'metric-informer-sync', check: () => unsynced(this.#nodes, 'node') ?? unsynced(this.#pods, 'pod') },
      { name: 'metadata-informer-sync', check: () => unsynced(this.#pods, 'pod') },
    ]
  }

  livenessChecks(): readonly HealthCheck[] {
    const { resolutionMs } = this.#options.settings.points
    const isHung = (this.scraper.sinceTickMs ?? 0) > hungResolutions * resolutionMs
    return [
      { name: 'metric-collection-timely', check: () => (isHung ? "metric collection didn't finish on time" : undefined) },
      {
        name: 'metadata-informer-sync',
        check: () => (this.#pods.isSynced ? undefined : 'cache for pod informer has not synced'),
      },
    ]
  }

  #refusePath(node: string, path: string): void {
    const { events, log } = this.#options
    log.warn({ node, path }, `the annotation ${pathAnnotation} is not used: it is no plain path`)
    events.emit({
      regarding: { apiVersion: 'v1', kind: 'Node', name: node },
      type: 'Warning',
      reason: 'InvalidMetricsPath',
      action: 'Scraping',
      note: `${pathAnnotation}: found ${JSON.stringify(path)}, expected a path that begins with / and has no "..", "?" or "#"`,
    })
  }

  *#scraped(): Generator<ScrapedNode> {
    const { nodeSelector } = this.#options.settings
    for (const node of this.#nodes.store.list()) {
      const { name, uid, labels = {}, annotations = {} } = node.metadata
      if (!nodeSelector.matches(labels)) continue
      yield {
        name,
        uid,
        addresses: node.status?.addresses ?? [],
        port: numberAt(at(node, 'status', 'daemonEndpoints', 'kubeletEndpoint'), 'Port') ?? 0,
        path: annotations[pathAnnotation],
        isReady: node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true,
      }
    }
  }
}
