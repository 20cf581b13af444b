// A Deployment at zero and its Service. Nobody runs pods: when it is scaled, its endpoint becomes ready, as if its pod had started at once.
import { at } from '#kube/objects/object-fields.ts'
import type { ControlPlane } from '../control-plane/start.ts'
import { until } from '../metrics/servers.ts'
import { backendObjects, collectionPath, type GatewaySite } from './site.ts'

/** Against hanging only. */
const limitMs = 120_000

export class SleepingTarget implements AsyncDisposable {
  readonly name: string
  readonly #plane: ControlPlane
  readonly #stop = new AbortController()
  #watching: Promise<void> = Promise.resolve()
  #replicas = 0

  private constructor(plane: ControlPlane, name: string) {
    this.#plane = plane
    this.name = name
  }

  /** What answers in place of the pod listens at `port` of all addresses. */
  static async make(site: GatewaySite, name: string, port: number): Promise<SleepingTarget> {
    const labels = { app: name }
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace: 'default' },
      spec: {
        replicas: 0,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'registry.example/app:1' }] } },
      },
    }
    await site.make([deployment, ...backendObjects(name, port, false)])
    const target = new SleepingTarget(site.plane, name)
    target.#watching = target.#watch()
    return target
  }

  async untilReplicas(wanted: number): Promise<void> {
    await until(
      () => `${wanted} replicas of ${this.name}, which has ${this.#replicas}`,
      () => this.#replicas === wanted,
      limitMs,
    )
  }

  /** When the API server got the first request after `sinceMs` that scales it; milliseconds since 1970. */
  async scaledAfter(sinceMs: number): Promise<number> {
    const path = `${collectionPath('Deployment')}/${this.name}/scale`
    let found: number | undefined
    await until(`a write of ${path}`, () => {
      found = this.#plane
        .answered()
        .find(
          ({ verb, path: of, receivedMs, code }) =>
            (verb === 'update' || verb === 'patch') && of === path && receivedMs >= sinceMs && code < 300,
        )?.receivedMs
      return found !== undefined
    })
    return found ?? Number.NaN
  }

  /** Its endpoint as it is said to be, whatever the replicas are. */
  async setReady(ready: boolean): Promise<void> {
    const path = `${collectionPath('EndpointSlice')}/${this.name}-1`
    const { body } = await this.#plane.client.send('GET', path)
    const [endpoint] = Object(body).endpoints
    await this.#plane.client.want('PATCH', path, { endpoints: [{ ...endpoint, conditions: { ready } }] })
  }

  async #watch(): Promise<void> {
    const path = collectionPath('Deployment')
    const { signal } = this.#stop
    const { metadata } = await this.#plane.client.want('GET', `${path}/${this.name}`)
    try {
      for await (const { object } of this.#plane.client.watch(path, metadata.resourceVersion ?? '', signal)) {
        if (object.metadata.name !== this.name) continue
        const replicas = Number(at(object, 'spec', 'replicas'))
        if (replicas === this.#replicas) continue
        this.#replicas = replicas
        await this.setReady(replicas > 0)
      }
    } catch (cause) {
      if (!signal.aborted) throw cause
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#watching
  }
}
